"""Noise for single images as arrays, hiding the Keras that draws it."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import InputError


class Corruption:
    """A kind of noise, ready for one image at a time.

    Making one imports Keras.

    Args:
        text: `kind` or `kind:argument`, as `kerasdenoise.noise.parse_noise` reads it.

    Attributes:
        label: The text.
        multiple: What the sides of an image must be multiples of.

    Raises:
        UsageError: The kind is unknown or its argument unusable.
    """

    def __init__(self, text: str) -> None:
        from kerasdenoise.runtime import prepare_keras

        prepare_keras()
        from kerasdenoise.noise import parse_noise

        self.label = text
        self._noise = parse_noise(text)
        self.multiple = self._noise.multiple

    def __call__(self, clean: np.ndarray, seed: int, *, name: object = "image") -> np.ndarray:
        """Draws one noisy version of an image.

        Args:
            clean: Float32 (height, width, 1 or 3) in [0, 1], with sides that are multiples of
                `multiple`.
            seed: Below 2**32; the same seed gives the same noise.
            name: What to call the image in errors.

        Returns:
            Float32 of the same shape; clipped to [0, 1] only where the kind of noise says so.

        Raises:
            InputError: The image is gray and the noise is a color camera's.
        """
        from kerasdenoise.noise import corrupt_arrays

        if self._noise.color_only and clean.shape[2] != 3:
            raise InputError(
                name,
                f"is gray, and {self._noise.kind} noise is made of three colors",
                "use gaussian noise, or convert the image to RGB first",
            )
        return corrupt_arrays(self._noise, clean[np.newaxis], seed)[0]
