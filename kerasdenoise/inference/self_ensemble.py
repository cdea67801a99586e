"""The eight flips and rotations of an image."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kerasdenoise.inference.settings import Quality


class Turn(NamedTuple):
    """One flip or rotation.

    Attributes:
        swap: Whether rows become columns, before anything is flipped.
        flip_rows: Whether the last row becomes the first.
        flip_columns: Whether the last column becomes the first.
    """

    swap: bool
    flip_rows: bool
    flip_columns: bool

    def apply(self, batch: np.ndarray) -> np.ndarray:
        """Transforms images.

        Args:
            batch: (N, H, W, C).

        Returns:
            The transformed images, (N, W, H, C) if rows become columns.
        """
        turned = batch.swapaxes(1, 2) if self.swap else batch
        return np.ascontiguousarray(np.flip(turned, self._flipped))

    def undo(self, batch: np.ndarray) -> np.ndarray:
        """Undoes the transformation.

        Args:
            batch: The result of `apply`, or images of the same size.

        Returns:
            The images in their original orientation.
        """
        turned = np.flip(batch, self._flipped)
        return turned.swapaxes(1, 2) if self.swap else turned

    @property
    def _flipped(self) -> tuple[int, ...]:
        return (1,) * self.flip_rows + (2,) * self.flip_columns


# Grouped by shape, because a model that gets another shape reallocates.
ALL_TURNS = tuple(Turn(*flags) for flags in itertools.product((False, True), repeat=3))
UPRIGHT = ALL_TURNS[:1]


def turns_of(quality: Quality) -> Sequence[Turn]:
    """Returns the flips and rotations for a quality."""
    return ALL_TURNS if quality == "best" else UPRIGHT
