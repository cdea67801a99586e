"""What a training mode makes of clean images."""

from __future__ import annotations

from typing import NamedTuple

from kerasdenoise.tensors import Tensor


class Example(NamedTuple):
    """Images to learn from, each (batch, height, width, channels).

    Attributes:
        noisy: What the network is given.
        target: What it is compared with.
        mean: What `noisy` would be without its noise, from which the noise is measured.
    """

    noisy: Tensor
    target: Tensor
    mean: Tensor
