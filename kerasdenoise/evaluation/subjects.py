"""What is compared: models' files, peers and other networks, each ready for its own process."""

from __future__ import annotations

import itertools
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.evaluation.noisy_sets import SIGMA, make_noisy
from kerasdenoise.evaluation.peers import Peer, ToldDenoiser
from kerasdenoise.foreign import printable
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import write_image
from kerasdenoise.inference.denoiser import Denoiser, denoise
from kerasdenoise.inference.engines import IsolatedEngine, LiteRTEngine, OnnxEngine, open_engine
from kerasdenoise.inference.network import merge_context
from kerasdenoise.inference.tiles import reflect, tile_grid
from kerasdenoise.plain_json import write_json
from kerasdenoise.runtime import prepare_keras
from kerasdenoise.zoo import ModelInfo, read_info

if TYPE_CHECKING:
    import keras

Run = Callable[[], object]
# Gets ready, untimed, and returns what is timed.
Prepare = Callable[[], Run]
DenoisePixels = Callable[[np.ndarray], np.ndarray]

# No file takes images of more numbers than this.
_LARGEST = 2**27

FFDNET = "FFDNet, random weights"
_WIDTH, _DEPTH = 96, 12


@dataclass(frozen=True)
class Task:
    """What all of them do.

    Attributes:
        threads: The threads of the networks.
        edge: Height and width of the single tile, for files that take any.
        photo: A photo's file, in color.
        height: Rows of the photo.
        width: Pixels in a row of it.
        target: Where it goes, denoised; an earlier one is replaced.
    """

    threads: int
    edge: int
    photo: Path
    height: int
    width: int
    target: Path


@dataclass(frozen=True)
class Subject:
    """Files or a peer. It can be pickled: its functions are partials of a module's.

    Attributes:
        title: What tables call it.
        size: The bytes of the files.
        shape: Height and width of the single tile.
        tile: Prepares what denoises a single tile.
        photo: Prepares what reads, denoises and writes the photo; None where it takes no photos.
        network: Prepares what runs the network alone on about a photo's pixels; None where none
            can.
        network_pixels: On how many pixels that runs.
        pictures: Loads what denoises pictures of any size, or None.
    """

    title: str
    size: int | None
    shape: tuple[int, int]
    tile: Prepare
    photo: Prepare | None = None
    network: Prepare | None = None
    network_pixels: int = 0
    pictures: Callable[[], DenoisePixels] | None = None


def of_files(files: ModelFiles, task: Task) -> Subject:
    """Files of a model."""
    info, threads = files.info, task.threads
    edge = -(-task.edge // info.stride) * info.stride
    shape = files.shape or (edge, edge)
    tile = partial(_prepare_network, info, threads, shape)
    subject = Subject(files.title, files.size, shape, tile)
    if not files.in_tiles:
        return subject
    if files.shape is not None:
        if not has_interior(info, files.shape):
            return subject
        return replace(subject, pictures=partial(_load_fixed, info, files.shape, threads))
    height, width = tile_of(info, task.height, task.width)
    tiles = max(1, round(task.height * task.width / (height * width)))
    return replace(
        subject,
        photo=partial(_prepare_photo, info, task),
        network=partial(_prepare_network, info, threads, (height, width), tiles),
        network_pixels=tiles * height * width,
        pictures=partial(_load_denoiser, info, threads),
    )


def of_peer(peer: Peer, task: Task) -> Subject:
    """A peer that is installed; it is no network."""
    told = ToldDenoiser(peer, peer.factor, SIGMA)
    return Subject(
        peer.title,
        None,
        (task.edge, task.edge),
        partial(_prepare_peer, told, task.edge),
        photo=None if peer.slow else partial(_prepare_peer_photo, told, task),
        pictures=partial(_get_denoise_pixels, told),
    )


def of_onnx(path: Path, title: str, channels: int, shape: tuple[int, int], task: Task) -> Subject:
    """An ONNX file of one image, of which only the speed is of interest."""
    tile = partial(_prepare_onnx, path, channels, shape, task.threads)
    return Subject(title, path.stat().st_size, shape, tile)


def run_once(prepare: Prepare) -> None:
    """Prepares something and does it once."""
    prepare()()


def _noisy(shape: tuple[int, int], channels: int) -> np.ndarray:
    noisy = make_noisy(*shape)[np.newaxis, ..., :channels]
    return np.ascontiguousarray(noisy) / np.float32(255)


def _prepare_network(info: ModelInfo, threads: int, shape: tuple[int, int], times: int = 1) -> Run:
    network, noisy = NetworkAlone(info, threads), _noisy(shape, info.channels)

    def run() -> None:
        for _ in range(times):
            network(noisy)

    return run


def _prepare_photo(model: ModelInfo, task: Task) -> Run:
    denoiser = Denoiser(model, threads=task.threads)
    return partial(denoise, task.photo, model=denoiser, output=task.target, overwrite=True)


def _load_denoiser(model: ModelInfo, threads: int) -> DenoisePixels:
    return Denoiser(model, threads=threads).denoise_pixels


def _load_fixed(info: ModelInfo, shape: tuple[int, int], threads: int) -> DenoisePixels:
    return FixedDenoiser(info, shape, threads).denoise_pixels


def _get_denoise_pixels(told: ToldDenoiser) -> DenoisePixels:
    return told.denoise_pixels


def _prepare_peer(told: ToldDenoiser, edge: int) -> Run:
    return partial(told.denoise_pixels, _noisy((edge, edge), 3)[0])


def _prepare_peer_photo(told: ToldDenoiser, task: Task) -> Run:
    def run() -> None:
        image = read_image(task.photo)
        image = image.with_pixels(told.denoise_pixels(image.pixels))
        write_image(image, task.target, overwrite=True)

    return run


def _prepare_onnx(path: Path, channels: int, shape: tuple[int, int], threads: int) -> Run:
    return partial(OnnxEngine(path, threads), {"noisy": _noisy(shape, channels)})


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
        printable(title),
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


def build_ffdnet(channels: int = 3) -> keras.Model:
    """Builds FFDNet for color with random weights, as it is run.

    Zhang et al., "FFDNet: Toward a fast and flexible solution for CNN-based image denoising",
    IEEE TIP 2018: pixels are moved into channels, 2x2 to one; twelve convolutions of 3x3 and 96
    channels see them and the level of the noise; the result is moved back. Batch normalization
    is part of the convolutions, as always when a trained network is run. The level is given for
    each pixel, and the mean of four is taken, where the paper gives one for the image.

    Args:
        channels: Of the image.

    Returns:
        A model from noisy images (batch, H, W, channels) and `noise_level` (batch, H, W, 1) to
        denoised ones; H and W are even.
    """
    prepare_keras()
    import keras
    from keras import layers, ops

    noisy = keras.Input((None, None, channels), name="noisy")
    level = keras.Input((None, None, 1), name="noise_level")
    x = layers.Concatenate()([ops.space_to_depth(noisy, 2), layers.AveragePooling2D(2)(level)])
    for _ in range(_DEPTH - 1):
        x = layers.Conv2D(_WIDTH, 3, padding="same", activation="relu")(x)
    x = layers.Conv2D(4 * channels, 3, padding="same")(x)
    return keras.Model([noisy, level], ops.depth_to_space(x, 2), name="ffdnet")
