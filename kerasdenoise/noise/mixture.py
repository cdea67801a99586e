"""Several corruptions in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kerasdenoise.noise.base import Noise
from kerasdenoise.tensors import Tensor


@dataclass(frozen=True)
class Mixture(Noise):
    """Applies each corruption to a fixed share of every batch.

    The split is by position, so each corruption is computed only for its own images. Batches
    must be in random order.

    Attributes:
        noises: The corruptions.
        shares: Their positive shares, with any sum.
    """

    noises: Sequence[Noise]
    shares: Sequence[float]

    @property
    def zero_mean(self) -> bool:
        """Whether all corruptions have zero mean."""
        return all(noise.zero_mean for noise in self.noises)

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Draws the noise of each part; the batch size is static. See `Noise.__call__`."""
        return self.draw_pair(clean, seed)[0]

    def draw_pair(self, clean: Tensor, seed: keras.random.SeedGenerator) -> tuple[Tensor, Tensor]:
        """Draws the pairs of each part; see `Noise.draw_pair`."""
        counts = self.counts(clean.shape[0])
        pairs = [
            noise.draw_pair(clean[stop - count : stop], seed)
            for noise, count, stop in zip(self.noises, counts, np.cumsum(counts), strict=True)
            if count
        ]
        noisy, expected = zip(*pairs, strict=True)
        return keras.ops.concatenate(noisy, axis=0), keras.ops.concatenate(expected, axis=0)

    def counts(self, batch: int) -> list[int]:
        """The number of images of a batch for each corruption; a small share may get none."""
        stops = np.round(np.cumsum(self.shares) / np.sum(self.shares) * batch).astype(int)
        return np.diff(stops, prepend=0).tolist()
