"""The files of a saved model, each as a model of its own, with as little around it as can be."""

from __future__ import annotations

import itertools
import math
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.evaluation.noisy_sets import SIGMA
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.isolated import IsolatedEngine, open_engine
from kerasdenoise.inference.network import merge_context
from kerasdenoise.inference.tiles import reflect, tile_grid
from kerasdenoise.plain_json import write_json
from kerasdenoise.zoo import ModelInfo
from kerasdenoise.zoo.info import read_info

# No file takes images of more numbers than this.
_LARGEST = 2**27


@dataclass(frozen=True)
class ModelFiles:
    """Files that together denoise an image.

    Attributes:
        title: The names of the files.
        info: The model as it is run from these files.
        shape: The one height and width that they take, or None if any.
        in_tiles: Whether an image can be denoised with them tile by tile.
    """

    title: str
    info: ModelInfo
    shape: tuple[int, int] | None = None
    in_tiles: bool = True

    @property
    def size(self) -> int:
        """The bytes of the files."""
        return sum(path.stat().st_size for path in self.info.run_paths)


def find_model_files(info: ModelInfo, folder: Path) -> tuple[list[ModelFiles], list[ModelError]]:
    """Lists the kinds of file that a model has.

    Args:
        info: The model.
        folder: An empty folder, where each file that denoises by itself becomes a model.

    Returns:
        What `denoise` runs, unless told otherwise; and after it, by name, each other file that
        denoises an image by itself. What is only a part of the network is left out. And, for
        each file that cannot be run here, why.
    """
    kinds = [ModelFiles(" + ".join(path.name for path in info.run_paths), info)]
    broken: list[ModelError] = []
    for path in sorted(info.folder.rglob("*.tflite")):
        if path in info.run_paths:
            continue
        try:
            engine = open_engine(info, path)
            if _is_whole(engine, info):
                kinds.append(_as_model(path, engine, info, folder / str(len(kinds))))
        except ModelError as error:
            broken.append(error)
    return kinds, broken


def _is_whole(engine: LiteRTEngine | IsolatedEngine, info: ModelInfo) -> bool:
    """Whether a file takes what the model does, and gives an image."""
    told = {"noisy", "noise_level"} if info.takes_noise_level else {"noisy"}
    if not set(engine.inputs) <= told:
        return False
    shapes = {
        name: [info.stride if size < 0 else size for size in shape]
        for name, shape in engine.input_shapes.items()
    }
    if any(math.prod(shape) > _LARGEST for shape in shapes.values()):
        raise ModelError(engine.path, "takes larger images than any model", "export it again")
    arrays = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    (result, *others) = engine(arrays).values()
    return not others and result.shape == (*arrays["noisy"].shape[:3], info.channels)


def _as_model(
    path: Path, engine: LiteRTEngine | IsolatedEngine, info: ModelInfo, folder: Path
) -> ModelFiles:
    height, width = engine.input_shapes["noisy"][1:3]
    is_fixed = height > 0 and width > 0
    folder.mkdir()
    shutil.copyfile(path, folder / "model.tflite")
    write_json(folder / "config.json", {})
    metadata = {
        "name": path.stem,
        "architecture": info.architecture,
        "summary": info.summary,
        "channels": info.channels,
        "stride": info.stride,
        "radius": info.radius,
        "noise_level": "noise_level" in engine.inputs,
        "bytes_per_pixel": info.bytes_per_pixel,
    }
    write_json(folder / "metadata.json", metadata)
    title = path.relative_to(info.folder).as_posix()
    record = (info.files or {}).get(title)
    return ModelFiles(
        title,
        replace(read_info(folder), files={"model.tflite": record} if record else None),
        shape=(height, width) if is_fixed else None,
        in_tiles=not info.has_context,
    )


class NetworkAlone:
    """Runs the files of a model on one array: no tiles, no checks, no other types.

    Args:
        info: The model.
        threads: Threads to use; all usable cores by default.
    """

    def __init__(self, info: ModelInfo, threads: int | None = None) -> None:
        self._info = info
        self._tile = open_engine(info, info.tile_path, threads)
        self._context = open_engine(info, info.context_path, threads) if info.context_path else None
        self._level = open_engine(info, info.level_path, threads) if info.level_path else None

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        """Denoises an array as if it were a whole image.

        Args:
            noisy: Float32 (1, H, W, channels of the model), sides multiples of its stride.

        Returns:
            Float32 of the same shape.
        """
        inputs = {"noisy": noisy}
        if self._info.takes_noise_level:
            inputs["noise_level"] = np.full((*noisy.shape[:3], 1), SIGMA, np.float32)
        if self._context is not None:
            inputs |= merge_context((self._context(inputs),))
        if self._level is not None:
            inputs["noise_level"] = next(iter(self._level(inputs).values()))
        return next(iter(self._tile(inputs).values()))


def tile_of(info: ModelInfo, height: int, width: int) -> tuple[int, int]:
    """The height and width of the tiles in which an image is denoised."""
    return tile_grid(
        height,
        width,
        tile="auto",
        radius=info.radius,
        stride=info.stride,
        bytes_per_pixel=info.bytes_per_pixel,
    ).tile_size


class FixedDenoiser:
    """Denoises images of any size in tiles of the one that a file takes, as an app does.

    Args:
        info: The model, of which `litert_path` is the file.
        shape: Height and width that the file takes.
        threads: Threads to use; all usable cores by default.
    """

    def __init__(self, info: ModelInfo, shape: tuple[int, int], threads: int | None = None) -> None:
        self._engine = open_engine(info, info.litert_path, threads)
        self._shape = shape
        self._halo = _halo_of(info)

    def denoise_pixels(self, pixels: np.ndarray) -> np.ndarray:
        """Denoises an image.

        Args:
            pixels: Float32 (H, W, channels of the model).

        Returns:
            Float32 of the same shape, not clipped.
        """
        denoised = np.empty_like(pixels)
        halo, sides = self._halo, pixels.shape[:2]
        interior = [size - 2 * halo for size in self._shape]
        starts = [range(0, side, step) for side, step in zip(sides, interior, strict=True)]
        for corner in itertools.product(*starts):
            read = (
                reflect(range(start - halo, start + step + halo), side)
                for start, step, side in zip(corner, interior, sides, strict=True)
            )
            noisy = pixels[np.ix_(*read)][np.newaxis]
            (result,) = self._engine({"noisy": noisy}).values()
            place = tuple(
                slice(start, start + step) for start, step in zip(corner, interior, strict=True)
            )
            rows, columns = denoised[place].shape[:2]
            denoised[place] = result[0, halo : halo + rows, halo : halo + columns]
        return denoised


def has_interior(info: ModelInfo, shape: tuple[int, int]) -> bool:
    """Whether some pixel of a tile sees no edge of it."""
    return min(shape) > 2 * _halo_of(info)


def _halo_of(info: ModelInfo) -> int:
    return -(-info.radius // info.stride) * info.stride
