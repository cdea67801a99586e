"""What is measured, files and peers in the same form, each ready for a process of its own."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise.evaluation.comparison.model_files import (
    FixedDenoiser,
    ModelFiles,
    NetworkAlone,
    has_interior,
    tile_of,
)
from kerasdenoise.evaluation.noisy_sets import SIGMA
from kerasdenoise.evaluation.peers import Peer, ToldDenoiser
from kerasdenoise.evaluation.synthetic_photo import make_noisy
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import write_image
from kerasdenoise.inference.denoiser import Denoiser, denoise
from kerasdenoise.zoo import ModelInfo

Run = Callable[[], object]
# Gets ready, untimed, and returns what is timed.
Prepare = Callable[[], Run]
DenoisePixels = Callable[[np.ndarray], np.ndarray]


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
    """An ONNX file of one image (1, H, W, channels), of which only the speed is of interest."""
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
    engine: Any = importlib.import_module("onnxruntime")
    options = engine.SessionOptions()
    options.intra_op_num_threads = threads
    session = engine.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return partial(session.run, None, {session.get_inputs()[0].name: _noisy(shape, channels)})
