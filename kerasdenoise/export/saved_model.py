"""Writing a trained network as a saved model, and loading one back into Keras."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasdenoise._version import __version__
from kerasdenoise.errors import UsageError
from kerasdenoise.export.card import render_card
from kerasdenoise.models import find_architecture, make_config
from kerasdenoise.runtime import prepare_keras
from kerasdenoise.zoo import find_model, verify_model
from kerasdenoise.zoo.find import INDEX
from kerasdenoise.zoo.info import INT8, read_json

if TYPE_CHECKING:
    import keras

    from kerasdenoise.training.recipe import Recipe


def load_model(name: str | Path) -> keras.Model:
    """Loads a saved model into Keras, for evaluation, fine-tuning or inspection.

    Args:
        name: A model's name, or the path of its folder.

    Returns:
        A functional model from noisy images (batch, height, width, channels), float32 and
        nominally in [0, 1], to denoised ones that are not clipped; one that is told the level
        of the noise takes two inputs, see `models.Config`. It is not compiled.

    Raises:
        ModelError: If the model is unknown or damaged.
    """
    info = find_model(name)
    verify_model(info, only=["model.keras"])
    prepare_keras()
    import keras

    import kerasdenoise.layers  # noqa: F401 (registers the layers that the file names)

    return keras.models.load_model(info.folder / "model.keras", compile=False)


def write_saved_model(
    denoiser: keras.Model,
    recipe: Recipe,
    target: Path,
    *,
    overwrite: bool = False,
    measure: Callable[[Path], list[dict[str, Any]]] = lambda folder: [],
    photos: Path | None = None,
) -> None:
    """Writes a denoiser with all that is known of it, and records it in the index.

    The folder appears in one move when it is complete; a failure leaves everything as it was.

    Args:
        denoiser: The network, with its final weights.
        recipe: How it was trained.
        target: The model's folder, inside the folder of the index.
        overwrite: Whether a model that is there is replaced.
        measure: Measures the finished files in a folder and returns figures for the card.
        photos: Folder that the recipe's data folders are relative to, for an integer file as
            well, which is calibrated on the photos that the network was trained on.

    Raises:
        UsageError: If there is a model of that name already.
        ModelError: If the exported file does not compute what the network does.
    """
    check_free(target, overwrite=overwrite)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        folder = Path(temporary) / target.name
        folder.mkdir()
        metadata = _write_files(denoiser, recipe, folder, target.name)
        if photos is not None:
            metadata["int8"] = _write_int8(denoiser, recipe, folder, photos)
        metadata["figures"] = measure(folder)
        _write_json(folder / "metadata.json", metadata)
        (folder / "README.md").write_text(render_card(metadata), "utf-8")
        index = _index_with(target, folder, metadata["summary"])
        _replace(folder, target, Path(temporary) / "replaced")
        _write_index(target.parent / INDEX, index)


def check_free(target: Path, *, overwrite: bool) -> None:
    """Refuses to write where there is a model already.

    Raises:
        UsageError: There is one, and it may not be replaced.
    """
    if target.exists() and not overwrite:
        raise UsageError(target, "exists", "give another --name, or --overwrite to replace it")


def _write_files(denoiser: keras.Model, recipe: Recipe, folder: Path, name: str) -> dict[str, Any]:
    """Writes all files but the card, and returns the metadata without figures."""
    from kerasdenoise.export.cost import mac_per_pixel
    from kerasdenoise.export.runnable import write_runnable

    architecture = find_architecture(recipe.model.architecture)
    config = make_config(architecture, recipe.model.config)
    values = dataclasses.asdict(config)  # pyright: ignore[reportArgumentType]
    _write_json(folder / "config.json", {"architecture": architecture, "config": values})
    (folder / "recipe.toml").write_text(recipe.source, "utf-8")
    earlier = _write_earlier_recipes(recipe, folder)
    denoiser.save(folder / "model.keras")
    denoiser.export(folder / "saved_model", format="tf_saved_model", verbose=False)
    metadata = {
        "name": name,
        "summary": recipe.summary,
        "architecture": architecture,
        **write_runnable(denoiser, config, folder),
        "parameters": denoiser.count_params(),
        "mac_per_pixel": mac_per_pixel(denoiser, config.stride),
        "license": "Apache-2.0",
        "training": {
            "recipe": "recipe.toml",
            "earlier": earlier,
            "steps": recipe.optimization.steps,
            "data": list(recipe.data.train),
            "data_license": recipe.data.license,
            "noise": [section.kind for section in recipe.noise],
            "commit": _commit(),
            "version": __version__,
        },
    }
    _write_json(folder / "metadata.json", metadata)
    return metadata


def _write_int8(
    denoiser: keras.Model, recipe: Recipe, folder: Path, photos: Path
) -> dict[str, Any]:
    """Writes the integer file, and returns what it loses."""
    from kerasdenoise.export.quantize import draw_noisy_patches, measure_int8, write_int8

    write_int8(denoiser, folder / INT8, draw_noisy_patches(recipe, photos))
    return measure_int8(folder, recipe, photos)


def _write_earlier_recipes(recipe: Recipe, folder: Path) -> list[str]:
    """Writes the recipes of all that this training started from, and names them, last first."""
    from kerasdenoise.training.build import read_history

    names: list[str] = []
    for text in read_history(recipe):
        names.append(f"recipe_earlier_{len(names) + 1}.toml")
        (folder / names[-1]).write_text(text, "utf-8")
    return names


def _replace(folder: Path, target: Path, replaced: Path) -> None:
    """Moves a folder to a target, and what was there out of the way; both or neither."""
    there = target.exists()
    if there:
        target.rename(replaced)
    try:
        folder.rename(target)
    except BaseException:
        if there:
            replaced.rename(target)
        raise


def _index_with(target: Path, folder: Path, summary: str) -> dict[str, Any]:
    """Returns the index with a model's files and their checksums entered into it.

    Args:
        target: Where the model is going to be.
        folder: Where its files are now.
        summary: What the model is for.
    """
    path = target.parent / INDEX
    index = read_json(path) if path.exists() else {"default": target.name, "models": {}}
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    index["models"][target.name] = {
        "summary": summary,
        "files": {
            file.relative_to(folder).as_posix(): {
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "bytes": file.stat().st_size,
            }
            for file in files
        },
    }
    return index


def _write_index(path: Path, index: dict[str, Any]) -> None:
    temporary = path.with_name(f".{INDEX}.tmp")
    _write_json(temporary, index)
    temporary.replace(path)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def _commit() -> str:
    """The checkout's commit, or "unknown" for an installed package."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        result = subprocess.run(git, capture_output=True, text=True, check=False)
    except OSError:  # there is no git
        return "unknown"
    return result.stdout.strip() or "unknown"
