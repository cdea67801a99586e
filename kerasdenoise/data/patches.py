"""Random patches of photos, the same for the same step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from kerasdenoise.errors import RecipeError


class PatchSampler:
    """Draws batches of randomly placed, flipped and turned patches.

    The batch of a step depends on the seed and the step alone, so that a resumed training
    run sees what an uninterrupted one would have seen.

    Args:
        photos: uint8 arrays (height, width, channels).
        patch: Side of a patch in pixels.
        batch: Patches per batch.
        seed: Any non-negative number.

    Raises:
        RecipeError: If no photo is as large as a patch.
    """

    def __init__(self, photos: Sequence[np.ndarray], patch: int, batch: int, seed: int) -> None:
        self._photos = [photo for photo in photos if min(photo.shape[:2]) >= patch]
        if not self._photos:
            raise RecipeError(
                f"patch {patch}", "is larger than every photo", "choose a smaller patch"
            )
        self._patch = patch
        self._batch = batch
        self._seed = seed
        sides = [photo.shape[:2] for photo in self._photos]
        places = np.array([(h - patch + 1) * (w - patch + 1) for h, w in sides])
        self._edges = np.cumsum(places / places.sum())

    def batch_of(self, step: int) -> np.ndarray:
        """Returns the batch of a step: float32 (batch, patch, patch, channels) in [0, 1]."""
        rng = np.random.default_rng((self._seed, step))
        chosen = np.searchsorted(self._edges, rng.random(self._batch), side="right")
        patches = [
            self._cut(self._photos[min(index, len(self._photos) - 1)], rng) for index in chosen
        ]
        return np.stack(patches).astype(np.float32) / 255.0

    def batches(self, first_step: int) -> Iterator[np.ndarray]:
        """Yields the batches of `first_step` and all steps after it, without end."""
        step = first_step
        while True:
            yield self.batch_of(step)
            step += 1

    def _cut(self, photo: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        top = rng.integers(photo.shape[0] - self._patch + 1)
        left = rng.integers(photo.shape[1] - self._patch + 1)
        cut = photo[top : top + self._patch, left : left + self._patch]
        cut = np.rot90(cut, int(rng.integers(4)))
        return cut[:, ::-1] if rng.random() < 0.5 else cut
