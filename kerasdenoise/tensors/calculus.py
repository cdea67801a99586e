"""Differences of images, the divergence that is their negative adjoint, and softplus.

Borders are replicated (Neumann): nothing flows over the edge of an image. All is made of slices
and concatenations, which LiteRT runs faster than padding.
"""

from __future__ import annotations

import keras

from kerasdenoise.tensors import Tensor

# From here on softplus is the identity in float32. LiteRT computes log(1 + exp(x)), which is
# infinite above 88.
_LINEAR = 20.0


def take_differences(image: Tensor) -> tuple[Tensor, Tensor]:
    """Subtracts each pixel from its neighbor on the right, and from that below.

    Args:
        image: (batch, height, width, channels).

    Returns:
        Both differences, of the image's shape; zero in the last column, and in the last row.
    """
    concatenate = keras.ops.concatenate
    right = concatenate([image[:, :, 1:], image[:, :, -1:]], axis=2)
    below = concatenate([image[:, 1:], image[:, -1:]], axis=1)
    return right - image, below - image


def take_divergence(rightward: Tensor, downward: Tensor) -> Tensor:
    """Takes from each pixel what flows in from the left and above, less what flows out.

    The sign is that of a diffusion's right-hand side, div(g grad u).

    Args:
        rightward: Multiples of the differences to the right: zero in the last column.
        downward: Multiples of the differences to below: zero in the last row.

    Returns:
        A tensor of the same shape, of which the sum over all pixels is zero.
    """
    concatenate = keras.ops.concatenate
    # The zeros at the one edge stand for those that belong before the other.
    from_left = concatenate([rightward[:, :, -1:], rightward[:, :, :-1]], axis=2)
    from_above = concatenate([downward[:, -1:], downward[:, :-1]], axis=1)
    return rightward - from_left + downward - from_above


def square_gradient(right: Tensor, below: Tensor) -> Tensor:
    """The square of the gradient's norm over all channels, (batch, height, width, 1)."""
    squares = keras.ops.square(right) + keras.ops.square(below)
    return keras.ops.sum(squares, axis=-1, keepdims=True)


def softplus(x: Tensor) -> Tensor:
    """Gives log(1 + exp(x))."""
    return keras.ops.softplus(keras.ops.minimum(x, _LINEAR)) + keras.ops.relu(x - _LINEAR)
