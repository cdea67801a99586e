"""LiteRT files of a saved model, for others or for the model itself."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasdenoise.errors import UsageError
from kerasdenoise.export.files import Order, write_files
from kerasdenoise.export.model_package import enter_files, load_model, write_card
from kerasdenoise.export.placing import index_with, replace_folder, workplace, write_index
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
    with workplace(target) as temporary:
        folder = temporary / target.name
        folder.mkdir()
        _write(model, info, folder, order)
        if target.exists():
            for file in folder.iterdir():
                file.replace(target / file.name)
        else:
            folder.rename(target)
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
    with workplace(target) as temporary:
        folder = shutil.copytree(target, temporary / target.name)
        for variant in order.variants:
            (folder / variant.file).unlink(missing_ok=True)
        metadata: dict[str, Any] = dict(info.metadata)
        enter_files(metadata, _write(model, info, folder, order))
        write_card(folder, metadata)
        index = None
        if (target.parent / INDEX).exists():
            index = index_with(target, folder, info.summary)
        replace_folder(folder, target, temporary / "replaced")
        if index is not None:
            write_index(target.parent / INDEX, index)
    return target


def _write(
    model: str | Path, info: ModelInfo, folder: Path, order: Order
) -> dict[str, dict[str, Any]]:
    recipe = read_recipe(info.folder / "recipe.toml")
    return write_files(load_model(model), recipe, info.metadata, folder, order)


def _check_free(folder: Path, order: Order, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(folder, "is a file, not a folder", "give another --output")
    there = _find(folder, [variant.file for variant in order.variants])
    if there and not overwrite:
        raise UsageError(there[0], "exists", "give another --output, or --overwrite to replace it")


def _find(folder: Path, names: Sequence[str]) -> list[Path]:
    return [folder / name for name in names if (folder / name).exists()]
