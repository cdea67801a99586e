"""Convolutions as matrix products, with backward passes by hand, in NumPy alone.

It is here to be read and to check the Keras networks against, not to be fast: every gradient
that training uses is written out once, in a few lines. See docs/reference.md.
"""

from __future__ import annotations

from kerasdenoise.reference.activations import ReLU, Sigmoid
from kerasdenoise.reference.convolution import Convolution, TransposedConvolution
from kerasdenoise.reference.loss import mean_squared_error
from kerasdenoise.reference.module import Module
from kerasdenoise.reference.sequential import Sequential
from kerasdenoise.reference.sgd import SGD
from kerasdenoise.reference.strided_autoencoder import build_strided_autoencoder
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
