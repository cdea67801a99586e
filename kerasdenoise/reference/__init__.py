"""Convolutions as matrix products, with backward passes by hand, in NumPy alone.

It is here to be read and to check the Keras networks against, not to be fast: every gradient
that training uses is written out once, in a few lines. See docs/reference.md.
"""

from __future__ import annotations

from kerasdenoise.reference.modules import (
    Convolution,
    Module,
    ReLU,
    Sequential,
    Sigmoid,
    TransposedConvolution,
)
from kerasdenoise.reference.training import SGD, build_strided_autoencoder, mean_squared_error
from kerasdenoise.reference.windows import Windows, fold, unfold

__all__ = [
    "SGD",
    "Convolution",
    "Module",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "TransposedConvolution",
    "Windows",
    "build_strided_autoencoder",
    "fold",
    "mean_squared_error",
    "unfold",
]
