"""The flux through each of several filters, by Perona and Malik's rational function."""

from __future__ import annotations

from typing import Any, cast

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor

# Initial coupling: this share of a filter's measure is the mean over all filters.
_SHARED = 0.3


@keras.saving.register_keras_serializable("kerasdenoise")
class PeronaMalikFlux(keras.layers.Layer):
    """Returns a flux phi(s) for each filter's response s: large for noise, not for structure.

    It is a sum of Perona and Malik's second function ("Scale-space and edge detection using
    anisotropic diffusion", IEEE TPAMI 1990), with trained contrasts:

        phi_i(s) = s_i * sum over terms m of b_mi / (1 + e_mi),
        e_mi = w_mi^2 * s_i^2, or, if coupled, sum over filters j of w_mij^2 * s_j^2,

    so 1/w is the contrast. For one filter and one term this is their function itself. A coupled
    flux stops where any of its filters sees structure, just as their coefficient of the
    gradient's norm depends on both directions. In trainable nonlinear reaction diffusion (Chen
    and Pock, IEEE TPAMI 2017), each filter stops separately. Weights b below zero sharpen.

    The first term starts at b = 1 with contrasts of about 1, each further one at b = 0 with a
    contrast twice as large.

    Args:
        terms: Number of functions in the sum.
        coupled: Whether filters depend on each other.

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
        """Creates the trained numbers."""
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
        """Returns the fluxes."""
        squares, shares, size = (
            keras.ops.square(responses),
            keras.ops.square(self._roots),
            self._size,
        )
        coefficient = 0.0
        # Term by term, because splitting the result of all terms takes longer than computing it.
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
        """Returns the shape of `responses`."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
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
