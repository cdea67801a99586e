"""LiteRT files of a saved model, for others or for the model itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kerasdenoise.errors import UsageError
from kerasdenoise.export.files import Order, write_files
from kerasdenoise.export.model_package import enter_files, index_with, load_model, write_card
from kerasdenoise.files import new_folder, refuse_existing
from kerasdenoise.plain_json import write_json
from kerasdenoise.training.recipe import read_recipe
from kerasdenoise.zoo import ModelInfo, find_model
from kerasdenoise.zoo.find import INDEX


def deliver_files(model: str | Path, order: Order, output: Path, *, overwrite: bool) -> Path:
    """Writes LiteRT files of a saved model into a folder of their own.

    They appear when all are complete; a failure leaves everything as it was.

    Args:
        model: The model's name, or the path of its folder.
        order: What is asked for.
        output: Where the folder is, which has the model's name.
        overwrite: Whether files that are there are replaced.

    Returns:
        The folder.

    Raises:
        UsageError: A file is there already, or the order does not fit the model.
        ModelError: The model is unknown or damaged, or a file cannot be made.
    """
    info = find_model(model)
    target = output / info.name
    _check_free(target, order, overwrite=overwrite)
    with new_folder(target, option="--output") as folder:
        _copy(target, folder, order)
        _write(model, info, folder, order)
    return target


def add_files(model: str | Path, order: Order, *, overwrite: bool) -> Path:
    """Writes LiteRT files into a saved model's folder, its metadata, card and index.

    Args:
        model: The model's name, or the path of its folder.
        order: What is asked for.
        overwrite: Whether files that are there are replaced.

    Returns:
        The model's folder.

    Raises:
        UsageError: A file is there already, or the order does not fit the model.
        ModelError: The model is unknown or damaged, or a file cannot be made.
        OutputError: The folder cannot be written to.
    """
    info = find_model(model)
    target = info.folder
    _check_free(target, order, overwrite=overwrite)
    with new_folder(target) as folder:
        _copy(target, folder, order)
        metadata: dict[str, Any] = dict(info.metadata)
        enter_files(metadata, _write(model, info, folder, order))
        write_card(folder, metadata)
        index = None
        if (target.parent / INDEX).exists():
            index = index_with(target, folder, info.summary)
    if index is not None:
        write_json(target.parent / INDEX, index)
    return target


def _copy(source: Path, folder: Path, order: Order) -> None:
    """Copies the existing files but for those that are ordered."""
    if source.is_dir():
        shutil.copytree(source, folder, symlinks=True, dirs_exist_ok=True)
    for variant in order.variants:
        (folder / variant.file).unlink(missing_ok=True)


def _write(
    model: str | Path, info: ModelInfo, folder: Path, order: Order
) -> dict[str, dict[str, Any]]:
    recipe = read_recipe(info.folder / "recipe.toml")
    return write_files(load_model(model), recipe, info.metadata, folder, order)


def _check_free(folder: Path, order: Order, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(folder, "is a file, not a folder", "give another --output")
    targets = [folder / variant.file for variant in order.variants]
    remedy = "give another --output, or --overwrite to replace it"
    refuse_existing(targets, overwrite=overwrite, remedy=remedy)
