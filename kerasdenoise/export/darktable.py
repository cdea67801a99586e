"""Packages that darktable 5.6 and later installs: one ONNX file and what darktable must know.

A package is a zip file with one folder, named for the model's id. Besides, `versions.json` lists
the packages of a folder with their versions and checksums, as a repository of models does.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from kerasdenoise._version import __version__
from kerasdenoise.errors import ModelError
from kerasdenoise.export.files import Order, write_files
from kerasdenoise.export.model_package import load_model
from kerasdenoise.files import file_identity, refuse_existing, write_file
from kerasdenoise.plain_json import read_object, write_json
from kerasdenoise.training.recipe import read_recipe
from kerasdenoise.zoo import ModelInfo, find_model

FOLDER = "darktable"
VERSIONS = "versions.json"

# Height and width of the tiles that darktable cuts; they overlap by 64 pixels on each side.
_TILE = 768

# The earliest time that a zip file can hold, so that equal files make equal packages.
_TIME = (1980, 1, 1, 0, 0, 0)


def write_package(model: str | Path, order: Order, output: Path, *, overwrite: bool) -> Path:
    """Writes a saved model as a `.dtmodel` file, and enters it in `versions.json` beside it.

    Args:
        model: The model's name, or the path of its folder.
        order: Its one variant is an ONNX file of any size.
        output: Parent of the folder `darktable` of packages.
        overwrite: Whether an existing package is replaced.

    Returns:
        The package.

    Raises:
        UsageError: The package already exists.
        ModelError: The model is unknown or damaged, or darktable cannot run it.
    """
    info = find_model(model)
    _check(info)
    (variant,) = order.variants
    name = f"denoise-kerasdenoise-{info.name.replace('_', '-')}"
    target = output / FOLDER / f"{name}.dtmodel"
    remedy = "give another --output, or --overwrite to replace it"
    refuse_existing([target], overwrite=overwrite, remedy=remedy)
    replaces = file_identity(target)
    with tempfile.TemporaryDirectory() as folder:
        recipe = read_recipe(info.folder / "recipe.toml")
        write_files(load_model(model), recipe, info.metadata, Path(folder), order)
        network = Path(folder, variant.file).read_bytes()
    # darktable offers an update where the version differs, so other weights need another one.
    version = f"{__version__}+{hashlib.sha256(network).hexdigest()[:8]}"
    package = _pack(
        name,
        {
            "config.json": json.dumps(_describe(info, name, version), indent=4) + "\n",
            "model.onnx": network,
            "README.md": (info.folder / "README.md").read_bytes(),
        },
    )
    versions = target.parent / VERSIONS
    listed = read_object(versions, ModelError) if versions.exists() else {"models": {}}
    if not isinstance(listed.get("models"), dict):
        raise ModelError(versions, "does not list models", "restore it, or give another --output")
    digest = f"sha256:{hashlib.sha256(package).hexdigest()}"
    listed["models"][name] = {"version": version, "sha256": digest}
    write_file(target, package, replaces=replaces, option="--output")
    write_json(versions, listed)
    return target


def _check(info: ModelInfo) -> None:
    cause = None
    if info.channels != 3:
        cause = "is for gray images, and darktable gives colors"
    elif info.has_context:
        cause = "needs statistics of the whole image, and darktable gives it tiles"
    elif info.takes_noise_level:
        cause = "must be told the noise level, and darktable always tells 25"
    if cause:
        raise ModelError(info.name, cause, "export a blind model of colors, such as photo")


def _describe(info: ModelInfo, name: str, version: str) -> dict[str, Any]:
    training = info.metadata["training"]
    return {
        "id": name,
        "name": f"kerasdenoise {info.name}",
        "description": info.summary,
        "task": "denoise",
        "arch": info.architecture,
        "backend": "onnx",
        "version": version,
        "type": "single",
        "num_inputs": 1,
        "tiling": True,
        "spatial_dims": ["height", "width"],
        "attributes": {"input_sizes": [_TILE], "size_multiple": info.stride},
        "model_card": {
            "long_description": f"{info.summary}. It is blind: it needs no noise level.",
            "scope": "single-image denoising",
            "author": "the kerasdenoise authors",
            "license": info.metadata["license"],
            "training_data": ", ".join(training["data"]),
            "training_data_license": training["data_license"],
            "notes": "Trained in sRGB on simulated noise; README.md has the figures and how it was "
            "trained. Recipes to train it again are in kerasdenoise's source.",
        },
    }


def _pack(folder: str, files: dict[str, str | bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return content.getvalue()
