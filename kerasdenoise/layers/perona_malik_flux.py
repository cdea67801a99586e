"""How much flows through each of several filters, by Perona and Malik's rational function."""

from __future__ import annotations

from typing import Any, cast

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.global_context import Tensor

# Where coupled filters start: this share of a filter's measure is the mean over all filters.
_SHARED = 0.3


@keras.saving.register_keras_serializable("kerasdenoise")
class PeronaMalikFlux(keras.layers.Layer):
    """Gives a flux phi(s) for each filter's response s: large where there is noise, not structure.

    It is a sum of Perona and Malik's second function ("Scale-space and edge detection using
    anisotropic diffusion", IEEE TPAMI 1990), with contrasts that are trained:

        phi_i(s) = s_i * sum over terms m of b_mi / (1 + e_mi),
        e_mi = w_mi^2 * s_i^2, or, if coupled, sum over filters j of w_mij^2 * s_j^2,

    so that 1/w is the contrast. For one filter and one term that is their function itself. A
    coupled flux stops where any of the filters that it heeds sees structure, as their coefficient
    of the gradient's norm heeds both directions; trainable nonlinear reaction diffusion (Chen
    and Pock, IEEE TPAMI 2017) lets each filter stop alone. Weights b below zero sharpen.

    The first term starts at b = 1 with contrasts of about 1, each further one at b = 0 with a
    contrast twice as large.

    Args:
        terms: How many functions are summed.
        coupled: Whether filters heed each other.

    Call arguments:
        responses: s, in units of the contrast, (batch, height, width, filters).

    Returns:
        phi(s), of the shape of `responses`; its size is at most
        sum over m of abs(b_mi) / (2 * w_mii).

    Raises:
        ModelError: If there is no term.
    """

    def __init__(self, terms: int = 1, coupled: bool = True, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if terms < 1:
            raise ModelError(f"flux of {terms} terms", "has none", "give 1 or more")
        self.terms = terms
        self.coupled = coupled

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Makes the trained numbers."""
        filters = cast(int, shape[-1])
        shares = 4.0 ** -np.repeat(np.arange(self.terms), filters)
        if self.coupled:
            single = (1 - _SHARED) * np.eye(filters) + _SHARED / filters
            shares = shares * np.tile(single, self.terms)
        self._roots = self._add("roots", np.sqrt(shares).reshape(1, 1, -1, len(shares.T)))
        self._weights = self._add("weights", np.repeat(np.arange(self.terms) == 0, filters))
        self._size = filters
        self.built = True

    def call(self, responses: Tensor) -> Tensor:
        """Gives the fluxes."""
        squares, shares, size = (
            keras.ops.square(responses),
            keras.ops.square(self._roots),
            self._size,
        )
        coefficient = 0.0
        # Term by term: to cut what all terms make at once takes longer than to make it.
        for start in range(0, size * self.terms, size):
            term = slice(start, start + size)
            measure = self._measure(squares, shares[..., term])
            coefficient = coefficient + self._weights[term] / (1 + measure)
        return coefficient * responses

    def mac_per_position(self) -> int:
        """Counts the multiplications for each pixel, divisions not."""
        measures = self._size * (self._size if self.coupled else 1) * self.terms
        return 2 * self._size + measures

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Gives the shape of `responses`."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """What the layer is made of."""
        return {**super().get_config(), "terms": self.terms, "coupled": self.coupled}

    def _measure(self, squares: Tensor, shares: Tensor) -> Tensor:
        if self.coupled:
            return keras.ops.conv(squares, shares, padding="same", data_format="channels_last")
        return squares * shares

    def _add(self, name: str, start: np.ndarray) -> Any:
        return self.add_weight(
            start.shape,
            lambda shape, dtype=None: keras.ops.convert_to_tensor(start, dtype),
            name=name,
        )
