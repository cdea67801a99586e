"""The LiteRT files that are asked for, each measured and described."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasdenoise.errors import ModelError, RecipeError, UsageError
from kerasdenoise.export import golden
from kerasdenoise.export.fixed_shape import fix_shape
from kerasdenoise.export.kinds import CALIBRATED, draw_noisy_patches, fix_scales, write_kind
from kerasdenoise.export.litert import check_parity
from kerasdenoise.export.mobile import (
    MobilePrimitives,
    check_operations,
    fix_size,
    separate_activations,
)
from kerasdenoise.export.parity import ParityGate, load_photos
from kerasdenoise.export.sidecar import describe_file, halo_of, stride_of
from kerasdenoise.export.variant import Variant
from kerasdenoise.models import Primitives, find_builder
from kerasdenoise.models._primitives import rebuild
from kerasdenoise.plain_json import write_json

if TYPE_CHECKING:
    from kerasdenoise.training.recipe import Recipe

# Largest difference between the graph for phones and that for CPUs, on the [0, 1] scale.
_MOBILE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Order:
    """What files are asked for.

    Attributes:
        variants: Which.
        data: Folder that the recipe's data folders are relative to; None for the recipe's own.
        photos: A folder of clean photos to calibrate and measure on instead of the recipe's.
        integers: The same network as it was trained in integers, for files of 8-bit integers; None
            for the network itself.
        force: Whether files that lose too much are kept.
        report: Is told of each file and how `describe_file` describes it.
    """

    variants: Sequence[Variant] = ()
    data: Path | None = None
    photos: Path | None = None
    integers: keras.Model | None = None
    force: bool = False
    report: Callable[[str, Mapping[str, Any]], None] = lambda file, row: None


def write_files(
    denoiser: keras.Model,
    recipe: Recipe,
    metadata: Mapping[str, Any],
    folder: Path,
    order: Order,
) -> dict[str, dict[str, Any]]:
    """Writes LiteRT files, measures each, and describes each in a `.json` of the same name.

    Those of a fixed size of up to 256 pixels have a golden picture with them: `golden_256.raw`,
    8-bit pixels row by row, and what a file makes of it under the file's name.

    Args:
        denoiser: The network.
        recipe: How it was trained.
        metadata: What is known of the model.
        folder: Where the files go. An existing file is measured, not written.
        order: What is asked for.

    Returns:
        What `ParityGate.measure` says, by the files' names.

    Raises:
        UsageError: A size does not fit the model, or photos are missing.
        ModelError: A file cannot be made, computes something else, or loses too much.
    """
    for variant in order.variants:
        variant.check(stride_of(metadata), halo_of(metadata))
    root = order.data or Path(recipe.data.root)
    photos, called = load_photos(recipe, root, metadata["channels"], order.photos)
    gate = ParityGate(denoiser, photos, called, metadata["stride"], order.force)
    noisy: Sequence[np.ndarray] = ()
    if any(_is_calibrated(variant, order) for variant in order.variants):
        noisy = _draw_noisy(recipe, root, order.photos)
    rows = {}
    for variant in order.variants:
        path = folder / variant.file
        if not path.exists():
            trained = order.integers if variant.kind == "int8" else None
            _write(denoiser, recipe, path, variant, noisy, trained)
        row = rows[variant.file] = gate.measure(path, variant)
        described = describe_file(path, metadata, row)
        if variant.size and variant.size <= golden.LARGEST and len(denoiser.inputs) == 1:
            described["golden"] = _write_golden(path, variant.size, metadata["channels"])
        write_json(path.with_suffix(".json"), described)
        order.report(variant.file, described)
    return rows


def _is_calibrated(variant: Variant, order: Order) -> bool:
    trained = variant.kind == "int8" and order.integers is not None
    return variant.kind in CALIBRATED and not trained


def _write(
    denoiser: keras.Model,
    recipe: Recipe,
    path: Path,
    variant: Variant,
    noisy: Sequence[np.ndarray],
    trained: keras.Model | None,
) -> None:
    """Writes a file, of the network that was trained in integers if there is one."""
    config = recipe.model.config
    build = find_builder(recipe.model.architecture, config)
    size, network = variant.size, denoiser
    is_mobile = variant.target == "mobile"
    # LiteRT's converter knows no 16-bit integers for rearranged pixels.
    is_rearranged = not is_mobile and variant.kind != "int16x8"
    make = Primitives() if is_rearranged else MobilePrimitives(is_sized=is_mobile)
    if trained is not None:
        assert build is not None
        network = fix_scales(trained, build, make)
    elif build is not None and not is_rearranged:
        network = rebuild(denoiser, build, make)
    if is_mobile:
        assert size is not None
        _convert(fix_size(network, size, size), path, variant, _fit(noisy, size))
        separate_activations(path)
        check_operations(path, denoiser.name)
    else:
        _convert(network, path, variant, noisy)
        if size:
            path.write_bytes(fix_shape(path, size, size))
    if variant.kind == "float32" and size:
        sides = [(size // config.stride, size // config.stride)]
        check_parity(denoiser, path, config.stride, sides, _MOBILE_TOLERANCE)


def _convert(
    network: keras.Model, path: Path, variant: Variant, noisy: Sequence[np.ndarray]
) -> None:
    try:
        write_kind(network, path, variant.kind, noisy)
    except ModelError as error:
        if variant.kind in CALIBRATED:
            raise ModelError(error.subject, error.cause, "use --float16") from error
        raise


def _draw_noisy(recipe: Recipe, root: Path, photos: Path | None) -> list[np.ndarray]:
    if photos:
        data = dataclasses.replace(recipe.data, train=(".",), validation=(".",), exclude=())
        return draw_noisy_patches(dataclasses.replace(recipe, data=data), photos)
    try:
        return draw_noisy_patches(recipe, root)
    except RecipeError as error:
        raise UsageError(
            error.subject,
            f"integers need the photos that the model was trained on ({error.cause})",
            "give a folder of clean photos by --photos",
        ) from error


def _fit(noisy: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """Lays patches side by side, as batches of one image of this size."""
    if not noisy:
        return []
    patches = np.concatenate(noisy)
    across = -(-size // patches.shape[1])
    images = []
    for start in range(0, len(patches), across**2):
        chosen = np.arange(start, start + across**2) % len(patches)
        rows = [np.concatenate([*row], axis=1) for row in np.split(patches[chosen], across)]
        images.append(np.concatenate(rows)[np.newaxis, :size, :size])
    return images


def _write_golden(path: Path, size: int, channels: int) -> dict[str, Any]:
    picture = golden.make_picture(size, channels)
    noisy, denoised = path.with_name(f"golden_{size}.raw"), path.with_suffix(".raw")
    noisy.write_bytes(picture.tobytes())
    denoised.write_bytes(golden.denoise_picture(path, picture).tobytes())
    return {"noisy": noisy.name, "denoised": denoised.name, "tolerance": golden.TOLERANCE}
