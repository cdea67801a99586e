"""Random patches of photos, the same for the same step, made ahead of time in another thread."""

from __future__ import annotations

import itertools
import zlib
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from kerasdenoise.errors import RecipeError

_Batch = TypeVar("_Batch")


class PatchSampler:
    """Draws batches of randomly placed, flipped and turned patches.

    The batch of a step depends on the seed and the step alone, so that a resumed training
    run sees what an uninterrupted one would have seen.

    Args:
        photos: Arrays (height, width, channels), all with as many channels: integers on their whole
            range, or floats that are nominally in [0, 1].
        patch: Side of a patch in pixels.
        batch: Patches per batch.
        seed: Any non-negative number.
        turns: Whether patches are flipped and turned at random, or stay as they are.

    Raises:
        RecipeError: If no photo is as large as a patch.
    """

    def __init__(
        self,
        photos: Sequence[np.ndarray],
        patch: int,
        batch: int,
        seed: int,
        *,
        turns: bool = True,
    ) -> None:
        self._photos = [photo for photo in photos if min(photo.shape[:2]) >= patch]
        if not self._photos:
            raise RecipeError(
                f"patch {patch}", "is larger than every photo", "choose a smaller patch"
            )
        self._patch = patch
        self._batch = batch
        self._seed = seed
        self._turns = 8 if turns else 1
        self._room = np.array([photo.shape[:2] for photo in self._photos]) - patch + 1
        places = self._room.prod(axis=1)
        self._edges = np.cumsum(places / places.sum())

    def batch_of(self, step: int, part: slice = slice(None)) -> np.ndarray:
        """Returns the batch of a step: float32 (batch, patch, patch, channels) in [0, 1].

        Args:
            step: Which one.
            part: Which of its patches alone to cut.
        """
        rng = np.random.default_rng((self._seed, step))
        chosen = np.searchsorted(self._edges, rng.random(self._batch), side="right")
        chosen = np.minimum(chosen, len(self._photos) - 1)
        corners = rng.integers(self._room[chosen])
        turns = rng.integers(self._turns, size=self._batch)
        chosen, corners, turns = chosen[part], corners[part], turns[part]
        shape = (len(chosen), self._patch, self._patch, self._photos[0].shape[2])
        patches = np.empty(shape, np.float32)
        # Plain numbers index faster than NumPy's own.
        for patch, index, (top, left), turn in zip(
            patches, chosen.tolist(), corners.tolist(), turns.tolist(), strict=True
        ):
            photo = self._photos[index]
            patch[:] = self._cut(photo, top, left, turn)
            if photo.dtype.kind == "u":
                patch /= np.iinfo(photo.dtype).max
        return patches

    def batches(
        self, first_step: int, part: slice = slice(None)
    ) -> Generator[np.ndarray, None, None]:
        """Yields the batches of `first_step` and all steps after it, without end.

        They are made in another thread, while those before them are used.

        Args:
            first_step: Where to start.
            part: Which patches of each batch alone to cut.
        """
        return prefetch(lambda step: self.batch_of(step, part), first_step)

    def fingerprint(self) -> bytes:
        """Returns what differs if the photos do."""
        sums = [zlib.crc32(np.ascontiguousarray(photo).data) for photo in self._photos]
        return repr((sums, self._room.tolist())).encode()

    def _cut(self, photo: np.ndarray, top: int, left: int, turn: int) -> np.ndarray:
        """Cuts a patch and gives it one of the eight orientations that a square has."""
        cut = photo[top : top + self._patch, left : left + self._patch]
        if turn & 4:
            cut = cut.swapaxes(0, 1)
        if turn & 2:
            cut = cut[::-1]
        return cut[:, ::-1] if turn & 1 else cut


def prefetch(
    batch_of: Callable[[int], _Batch], first_step: int, ahead: int = 2
) -> Generator[_Batch, None, None]:
    """Yields `batch_of(first_step)`, `batch_of(first_step + 1)` and so on, without end.

    One other thread makes the batches, in order, and stays `ahead` of what was asked for. It
    starts with the first batch and ends when the iterator is closed, goes out of use or
    raises.

    Args:
        batch_of: Makes the batch of a step; called from the other thread.
        first_step: Where to start.
        ahead: How many batches are made before they are asked for; at least 1.

    Yields:
        The batches; an error of `batch_of` is raised in place of the batch that it is about.
    """
    with ThreadPoolExecutor(1, "prefetch") as thread:
        steps = itertools.count(first_step)
        waiting = deque(thread.submit(batch_of, step) for step in itertools.islice(steps, ahead))
        for step in steps:
            batch = waiting.popleft().result()
            waiting.append(thread.submit(batch_of, step))
            yield batch
