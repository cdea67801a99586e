"""The files that are asked for, each measured and described for the program that runs it."""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from kerasdenoise._version import __version__
from kerasdenoise.errors import ModelError, RecipeError, UsageError
from kerasdenoise.export.kinds import (
    CALIBRATED,
    Variant,
    check_integers,
    draw_noisy_patches,
    fix_scales,
    write_kind,
)
from kerasdenoise.export.litert import check_parity, export_litert
from kerasdenoise.export.mobile import (
    MobilePrimitives,
    check_operations,
    fix_size,
    replace_operations,
)
from kerasdenoise.export.onnx import convert_litert
from kerasdenoise.export.parity import ParityGate, load_photos
from kerasdenoise.inference.engines import LiteRTEngine, OnnxEngine
from kerasdenoise.inference.fixed_shape import fix_shape
from kerasdenoise.inference.tone import fixed_halo, tile_stride
from kerasdenoise.models import Primitives, find_builder
from kerasdenoise.models._primitives import rebuild
from kerasdenoise.pixels import to_samples
from kerasdenoise.plain_json import write_json

if TYPE_CHECKING:
    from kerasdenoise.training.recipe import Recipe

# Largest difference between the graph for phones and that for CPUs, on the [0, 1] scale.
_MOBILE_TOLERANCE = 1e-5

# Heights and widths, in strides, of the images that an ONNX file of any size is tried on.
_ONNX_SIDES = ((4, 9), (8, 8))

# A larger picture would weigh more than the files that it checks.
LARGEST_PICTURE = 256

# Values of 255 that two processors may differ by.
_PICTURE_TOLERANCE = 2

_PICTURE_SIGMA = 25 / 255


@dataclass(frozen=True)
class Order:
    """What files are asked for.

    Attributes:
        variants: Which.
        data: Folder that the recipe's data folders are relative to; None for the recipe's own.
        photos: A folder of clean photos to calibrate and measure on instead of the recipe's.
        integers: The same network, trained with 8-bit integers, for files with 8-bit integers; None
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
    """Writes LiteRT and ONNX files, measures each, and describes each in a JSON file.

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
        UsageError: A size or a number type does not fit the model, or photos are missing.
        ModelError: A file cannot be made, computes something else, or loses too much.
    """
    for variant in order.variants:
        variant.check(stride_of(metadata), halo_of(metadata))
    check_integers(denoiser, order.variants)
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
        has_golden = variant.target != "onnx" and len(denoiser.inputs) == 1
        if has_golden and variant.size and variant.size <= LARGEST_PICTURE:
            described["golden"] = _write_golden(path, variant.size, metadata["channels"])
        write_json(path.with_name(variant.sidecar), described)
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
    """Writes a file, of the network that was trained with 8-bit integers if there is one."""
    config = recipe.model.config
    if variant.target == "onnx":
        write_onnx(denoiser, path, variant, config.stride)
        return
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
        replace_operations(path)
        check_operations(path, denoiser.name)
    else:
        _convert(network, path, variant, noisy)
        if size:
            path.write_bytes(fix_shape(path, size, size))
    if variant.kind == "float32" and size:
        sides = [(size // config.stride, size // config.stride)]
        check_parity(denoiser, path, config.stride, sides, _MOBILE_TOLERANCE)


def write_onnx(denoiser: keras.Model, path: Path, variant: Variant, stride: int) -> None:
    """Writes a network as an ONNX file.

    Args:
        denoiser: The network.
        path: The file; its name ends in `.onnx`.
        variant: What it is.
        stride: What height and width of an image are multiples of.

    Raises:
        ModelError: It cannot be converted, or computes something else.
    """
    with tempfile.TemporaryDirectory() as folder:
        litert = Path(folder) / "model.tflite"
        export_litert(denoiser, litert)
        convert_litert(litert, path, half=variant.kind == "float16", size=variant.size)
    if variant.kind == "float32":
        side = variant.size // stride if variant.size else None
        sides = [(side, side)] if side else _ONNX_SIDES
        check_parity(denoiser, path, stride, sides)


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
            f"8-bit integers need the photos that the model was trained on ({error.cause})",
            "give a folder of clean photos with --photos",
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
    picture = make_picture(size, channels)
    noisy, denoised = path.with_name(f"golden_{size}.raw"), path.with_suffix(".raw")
    noisy.write_bytes(picture.tobytes())
    denoised.write_bytes(denoise_picture(path, picture).tobytes())
    return {"noisy": noisy.name, "denoised": denoised.name, "tolerance": _PICTURE_TOLERANCE}


def make_picture(size: int, channels: int) -> np.ndarray:
    """Makes a noisy picture of shades, stripes and an edge.

    Args:
        size: Its height and width.
        channels: 1 or 3.

    Returns:
        uint8 (size, size, channels), the same each time.
    """
    rows, columns = np.mgrid[:size, :size] / size
    waves = 0.5 + 0.3 * np.sin(40 * columns**2) * np.cos(9 * rows)
    disk = np.hypot(rows - 0.5, columns - 0.5) < 0.3
    planes = [
        np.where(disk, each, waves) for each in (0.25 + 0.5 * rows, columns, 0.75 - waves / 2)
    ]
    clean = np.stack(planes[:channels], axis=-1)
    noisy = clean + np.random.default_rng(25).normal(0, _PICTURE_SIGMA, clean.shape)
    return to_samples(noisy, np.uint8)


def denoise_picture(path: Path, picture: np.ndarray) -> np.ndarray:
    """Runs a LiteRT file of one image on a picture; uint8 in and out, of one shape."""
    given = picture[np.newaxis] / np.float32(255)
    (denoised,) = LiteRTEngine(path, threads=1)({"noisy": given}).values()
    return to_samples(denoised[0], np.uint8)


def describe_file(
    path: Path, metadata: Mapping[str, Any], row: Mapping[str, Any]
) -> dict[str, Any]:
    """Describes a file.

    Args:
        path: The file.
        metadata: The metadata of its model.
        row: What `ParityGate.measure` says of it.

    Returns:
        `model`, `file`, `sha256`, `license` and `version`; `signature` (of a LiteRT file),
        `inputs` and `outputs`: name, type, shape, layout, colors, the range of values, and how
        integers are read;
        `tile`: what to cut images into, of which `halo` pixels on each side are to be left out,
        and how far apart; it is null for a network that must see whole images; and
        `keeps_tone`: whether `inference.tone.keep_tone` is to be applied to each result.
    """
    content = path.read_bytes()
    return {
        "model": metadata["name"],
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        **row,
        **(_describe_onnx(path) if path.suffix == ".onnx" else _describe_litert(content)),
        "tile": _describe_tile(metadata, row["size"]),
        "keeps_tone": _keeps_tone(metadata),
        "license": metadata["license"],
        "version": __version__,
    }


def stride_of(metadata: Mapping[str, Any]) -> int:
    """Returns what the edges of a model's tiles must be multiples of."""
    return tile_stride(metadata["stride"], keeps_tone=_keeps_tone(metadata))


def _describe_litert(content: bytes) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter: Any = Interpreter(model_content=content)
    (signature,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(signature)

    def describe(name: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        scale, zero = detail["quantization"]
        return {
            "name": name,
            "dtype": np.dtype(detail["dtype"]).name,
            "shape": detail["shape_signature"].tolist(),
            "layout": "NHWC",
            "range": [0, 255] if detail["dtype"] is np.uint8 else [0.0, 1.0],
            "quantization": {"scale": float(scale), "zero_point": int(zero)} if scale else None,
            **_describe_colors(name, int(detail["shape_signature"][-1])),
        }

    return {
        "signature": signature,
        "inputs": [describe(*each) for each in runner.get_input_details().items()],
        "outputs": [describe(*each) for each in runner.get_output_details().items()],
    }


def _describe_onnx(path: Path) -> dict[str, Any]:
    engine = OnnxEngine(path)
    return {
        role: [
            {
                "name": name,
                "dtype": "float32",
                "shape": shape,
                "layout": "NCHW",
                "range": [0.0, 1.0],
                **_describe_colors(name, shape[1]),
            }
            for name, shape in shapes.items()
        ]
        for role, shapes in (("inputs", engine.input_shapes), ("outputs", engine.output_shapes))
    }


def _describe_colors(name: str, channels: int) -> dict[str, str]:
    return {} if name == "noise_level" else {"colors": "RGB" if channels == 3 else "gray"}


def _describe_tile(metadata: Mapping[str, Any], size: int | None) -> dict[str, Any] | None:
    if metadata["global_context"]:
        return None
    halo = halo_of(metadata)
    step = size - 2 * halo if size else None
    return {"size": size, "stride": stride_of(metadata), "halo": halo, "step": step}


def halo_of(metadata: Mapping[str, Any]) -> int:
    """Returns the pixels at each border of a tile that are cut off; 0 where tiles do not suit."""
    if metadata["global_context"]:
        return 0
    keeps_tone = _keeps_tone(metadata)
    return fixed_halo(metadata["radius"], stride_of(metadata), keeps_tone=keeps_tone)


def _keeps_tone(metadata: Mapping[str, Any]) -> bool:
    return bool(metadata.get("keeps_tone", False))
