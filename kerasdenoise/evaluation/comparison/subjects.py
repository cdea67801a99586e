"""What is measured, files and peers in the same form, each ready for a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from kerasdenoise.evaluation.comparison.alone import NetworkAlone, tile_of
from kerasdenoise.evaluation.comparison.fixed import FixedDenoiser
from kerasdenoise.evaluation.comparison.kinds import Kind
from kerasdenoise.evaluation.comparison.pictures import SIGMA, make_noisy
from kerasdenoise.evaluation.peers import Peer, ToldDenoiser
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import write_image
from kerasdenoise.inference.denoiser import Denoiser, denoise

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


class Subject(Protocol):
    """Files or a peer, which can be pickled."""

    @property
    def title(self) -> str:
        """What tables call it."""
        ...

    @property
    def size(self) -> int | None:
        """The bytes of the files."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the single tile."""
        ...

    def tile(self) -> Run:
        """Returns what denoises a single tile."""
        ...

    @property
    def photo(self) -> Prepare | None:
        """Prepares what reads, denoises and writes the photo; None where it takes no photos."""
        ...

    @property
    def network(self) -> Prepare | None:
        """Prepares what runs the network alone on about a photo's pixels; None where none can."""
        ...

    @property
    def network_pixels(self) -> int:
        """On how many pixels that runs."""
        ...

    def pictures(self) -> DenoisePixels | None:
        """Returns what denoises pictures of any size, or None."""
        ...


@dataclass(frozen=True)
class Files:
    """Files of a model.

    Attributes:
        kind: The files.
        task: What they do.
    """

    kind: Kind
    task: Task

    @property
    def title(self) -> str:
        """See `Subject`."""
        return self.kind.title

    @property
    def size(self) -> int:
        """See `Subject`."""
        return self.kind.size

    @property
    def shape(self) -> tuple[int, int]:
        """See `Subject`."""
        stride = self.kind.info.stride
        edge = -(-self.task.edge // stride) * stride
        return self.kind.shape or (edge, edge)

    def tile(self) -> Run:
        """See `Subject`."""
        return partial(self._load(), self._noisy(self.shape))

    @property
    def photo(self) -> Prepare | None:
        """See `Subject`."""
        return self._prepare_photo if self._takes_photos else None

    @property
    def network(self) -> Prepare | None:
        """See `Subject`."""
        return self._prepare_network if self._takes_photos else None

    @property
    def network_pixels(self) -> int:
        """See `Subject`."""
        height, width = self._photo_tile
        return self._photo_tiles * height * width

    def pictures(self) -> DenoisePixels | None:
        """See `Subject`."""
        if not self.kind.in_tiles:
            return None
        if self.kind.shape is None:
            return Denoiser(self.kind.info.folder, threads=self.task.threads).denoise_pixels
        fixed = FixedDenoiser(self.kind.info, self.kind.shape, self.task.threads)
        return fixed.denoise_pixels if fixed.has_interior else None

    @property
    def _takes_photos(self) -> bool:
        return self.kind.in_tiles and self.kind.shape is None

    def _prepare_photo(self) -> Run:
        return partial(
            denoise,
            self.task.photo,
            model=Denoiser(self.kind.info.folder, threads=self.task.threads),
            output=self.task.target,
            overwrite=True,
        )

    def _prepare_network(self) -> Run:
        network, noisy = self._load(), self._noisy(self._photo_tile)

        def run() -> None:
            for _ in range(self._photo_tiles):
                network(noisy)

        return run

    @property
    def _photo_tile(self) -> tuple[int, int]:
        return tile_of(self.kind.info, self.task.height, self.task.width)

    @property
    def _photo_tiles(self) -> int:
        height, width = self._photo_tile
        return max(1, round(self.task.height * self.task.width / (height * width)))

    def _load(self) -> NetworkAlone:
        return NetworkAlone(self.kind.info, self.task.threads)

    def _noisy(self, shape: tuple[int, int]) -> np.ndarray:
        noisy = make_noisy(*shape)[np.newaxis, ..., : self.kind.info.channels]
        return np.ascontiguousarray(noisy) / np.float32(255)


@dataclass(frozen=True)
class OfPeer:
    """A peer that is installed.

    Attributes:
        peer: The peer.
        task: What it does.
    """

    peer: Peer
    task: Task

    size = None
    # A peer is no network.
    network = None
    network_pixels = 0

    @property
    def title(self) -> str:
        """See `Subject`."""
        return self.peer.title

    @property
    def shape(self) -> tuple[int, int]:
        """See `Subject`."""
        return self.task.edge, self.task.edge

    def tile(self) -> Run:
        """See `Subject`."""
        return partial(self.pictures(), make_noisy(*self.shape) / np.float32(255))

    @property
    def photo(self) -> Prepare | None:
        """See `Subject`."""
        return None if self.peer.slow else lambda: self._denoise_photo

    def pictures(self) -> DenoisePixels:
        """See `Subject`."""
        return ToldDenoiser(self.peer, self.peer.factor, SIGMA).denoise_pixels

    def _denoise_photo(self) -> None:
        image = read_image(self.task.photo)
        image = image.with_pixels(self.pictures()(image.pixels))
        write_image(image, self.task.target, overwrite=True)


def run_once(subject: Subject, part: str) -> None:
    """Does a part once: `tile` or `photo`."""
    getattr(subject, part)()()
