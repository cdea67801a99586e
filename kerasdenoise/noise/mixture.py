"""Several corruptions in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kerasdenoise.noise.base import Noise, Tensor


@dataclass(frozen=True)
class Mixture(Noise):
    """Gives each corruption its fixed share of every batch.

    The split is by position, so that each corruption is computed for its own images only;
    a batch whose images come in random order loses nothing by it.

    Attributes:
        noises: The corruptions.
        shares: Their positive shares, of any sum.
    """

    noises: Sequence[Noise]
    shares: Sequence[float]

    @property
    def zero_mean(self) -> bool:
        """Whether that holds for each of the corruptions."""
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
        """How many images of a batch get each corruption; a small share of few may be none."""
        stops = np.round(np.cumsum(self.shares) / np.sum(self.shares) * batch).astype(int)
        return np.diff(stops, prepend=0).tolist()
