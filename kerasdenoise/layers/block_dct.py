"""The cosine transform of blocks of pixels, and the heat equation, which it solves exactly."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor
from kerasdenoise.tensors.calculus import softplus


@keras.saving.register_keras_serializable("kerasdenoise")
class BlockDct(keras.layers.Layer):
    """Applies the orthonormal DCT-II to blocks of pixels, or its inverse.

    The transform keeps sums of squares, so that white noise stays white, and as strong.

    Args:
        block: Height and width of a block.
        inverse: Whether coefficients become pixels again.

    Call arguments:
        blocks: Blocks as `keras.ops.space_to_depth` makes them, (batch, height, width,
            block * block * channels): rows first, then columns, then the channels of a pixel.

    Returns:
        Coefficients in place of the pixels, in the same order: vertical frequencies first. The
        first is the mean of the block, times `block`.

    Raises:
        ModelError: If the block has no pixel, or the input other blocks.
    """

    def __init__(self, block: int, inverse: bool = False, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if block < 1:
            raise ModelError(f"block {block}", "has no pixel", "give one such as 8")
        self.block = block
        self.inverse = inverse

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Computes the transform."""
        size = shape[-1]
        if size is None or size % self.block**2:
            raise ModelError(
                f"{size} numbers a place", f"are not blocks of {self.block}", "give another block"
            )
        both = np.kron(cosines(self.block), cosines(self.block))
        matrix = np.kron(both, np.eye(size // self.block**2))
        self._matrix = (matrix if self.inverse else matrix.T).astype(np.float32)
        self.built = True

    def call(self, blocks: Tensor) -> Tensor:
        """Transforms."""
        kernel = keras.ops.convert_to_tensor(self._matrix[np.newaxis, np.newaxis])
        return keras.ops.conv(
            blocks, keras.ops.cast(kernel, blocks.dtype), data_format="channels_last"
        )

    def mac_per_position(self) -> int:
        """Counts the multiplications for each block."""
        return self._matrix.size

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the same shape."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "block": self.block, "inverse": self.inverse}


@keras.saving.register_keras_serializable("kerasdenoise")
class HeatDecay(keras.layers.Layer):
    """Lets each coefficient of a cosine transform decay as heat does, at a rate of its own.

    The heat equation on a block with replicated borders has the waves of `BlockDct` as its
    solutions: a coefficient of the frequencies (i, j) is multiplied by exp(-tau * c * w), with

        w = 4 - 2 cos(pi * i / block) - 2 cos(pi * j / block),

    in [0, 8). With one conductivity c for all it is a Gaussian blur; here each entry of each block
    has its own, c = softplus(rate) > 0. So no coefficient grows or changes its sign, whatever
    tau and the rates are. The mean of a block stays.

    Args:
        block: Height and width of a block.
        tau: The time.

    Call arguments:
        coefficients: As `BlockDct` gives them, (batch, height, width, block * block * channels).
        rate: Of the same shape.

    Returns:
        The coefficients after that time, float32 of the same shape.

    Raises:
        ModelError: If a setting is not above 0.
    """

    def __init__(self, block: int, tau: float = 1.0, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if block < 1 or not tau > 0:
            raise ModelError(
                f"heat equation of block={block}, tau={tau:g}",
                "has a setting that is not above 0",
                "give positive numbers, such as 8 and 1",
            )
        self.block = block
        self.tau = tau

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Computes the frequencies."""
        channels = (shape[-1] or 0) // self.block**2
        each = 2 - 2 * np.cos(np.pi / self.block * np.arange(self.block))
        self._frequencies = np.repeat(np.add.outer(each, each).ravel(), channels)
        self.built = True

    def call(self, coefficients: Tensor, rate: Tensor) -> Tensor:
        """Lets them decay."""
        speed = keras.ops.convert_to_tensor(-self.tau * self._frequencies, coefficients.dtype)
        return coefficients * keras.ops.exp(softplus(rate) * speed)

    def compute_output_shape(
        self, coefficients_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns the shape of the coefficients."""
        return coefficients_shape

    def compute_output_spec(self, coefficients: Tensor, rate: Tensor) -> keras.KerasTensor:
        """Returns the result of `call` as a symbol."""
        del rate
        return keras.KerasTensor(coefficients.shape, self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "block": self.block, "tau": self.tau}


def cosines(size: int) -> np.ndarray:
    """Returns the orthonormal DCT-II as a matrix: row k is the wave of frequency k."""
    waves = np.cos(np.pi / size * np.outer(np.arange(size), np.arange(size) + 0.5))
    waves *= np.sqrt(2 / size)
    waves[0] /= np.sqrt(2)
    return waves
