"""The flux through each of several filters, as piecewise linear functions."""

from __future__ import annotations

from typing import Any, cast

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.tensors import Tensor


@keras.saving.register_keras_serializable("kerasdenoise")
class P1Flux(keras.layers.Layer):
    """Returns a flux phi(s) for each filter's response s: an odd P1 function per filter.

    The knots are at 0 and at t_j = j * reach / pieces, j = 1 ... pieces, on either side. The
    function is 0 at 0 and has the trained values v_j at t_j and -v_j at -t_j; it is linear
    between and constant beyond. It is evaluated as a sum of clipped identities,

        phi(s) = sum over j of (m_j - m_(j+1)) * min(max(s, -t_j), t_j),

    with the slopes m_j of the pieces and m_(pieces+1) = 0: a few simple operations for each knot,
    where looking up a piece would need a gather. Trainable nonlinear reaction diffusion (Chen
    and Pock, IEEE TPAMI 2017) uses sums of 63 Gaussian bells instead.

    Training starts from Perona and Malik's s / (1 + s^2) at the knots.

    Args:
        pieces: Number of pieces on each side of 0.
        reach: The last knot, above 0.

    Call arguments:
        responses: s, in units of the contrast, (batch, height, width, filters).

    Returns:
        phi(s), of the shape of `responses`.

    Raises:
        ModelError: If there is no piece or `reach` is not above 0.
    """

    def __init__(self, pieces: int = 6, reach: float = 4.5, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if pieces < 1 or not reach > 0:
            raise ModelError(
                f"P1 flux of {pieces} pieces up to {reach:g}",
                "has no piece",
                "give 1 or more, and a reach above 0",
            )
        self.pieces = pieces
        self.reach = reach

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Creates the values at the knots."""
        knots = self._knots()
        start = np.tile((knots / (1 + knots**2))[:, np.newaxis], cast(int, shape[-1]))
        self.values = self.add_weight(
            start.shape,
            lambda shape, dtype=None: keras.ops.convert_to_tensor(start, dtype),
            name="values",
        )

    def call(self, responses: Tensor) -> Tensor:
        """Returns the fluxes."""
        ops = keras.ops
        ends = ops.concatenate([0 * self.values[:1], self.values], axis=0)
        slopes = (ends[1:] - ends[:-1]) * (self.pieces / self.reach)
        bends = slopes - ops.concatenate([slopes[1:], 0 * slopes[:1]], axis=0)
        flux = 0.0
        for number, knot in enumerate(self._knots().tolist()):
            # Not by clip: under PyTorch it rounds its limits to the floatx of keras.json.
            flux = flux + bends[number] * ops.minimum(ops.maximum(responses, -knot), knot)
        return flux

    def mac_per_position(self) -> int:
        """Counts the multiplications for each pixel: one for each knot and filter."""
        return int(np.prod(self.values.shape))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of `responses`."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor arguments."""
        return {**super().get_config(), "pieces": self.pieces, "reach": self.reach}

    def _knots(self) -> np.ndarray:
        return np.arange(1, self.pieces + 1) * (self.reach / self.pieces)
