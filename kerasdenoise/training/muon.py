"""Muon for convolutions."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("kerasdenoise")
class Muon(keras.optimizers.Muon):
    """Keras' Muon, which also takes the kernels of convolutions.

    Keras' own gives all but matrices to Adam. Here a kernel (height, width, in, out) is the
    matrix (height * width * in, out) that a convolution multiplies its patches with, as in the
    original (Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024).
    Vectors still go to Adam.
    """

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) not in (2, 4)

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        """Returns the nearest matrix with equal singular values, in the shape of `x`."""
        matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
        return keras.ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        """Scales the update to the size that Adam's would have."""
        matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
        return keras.ops.reshape(super().lr_adjust(matrix), x.shape)
