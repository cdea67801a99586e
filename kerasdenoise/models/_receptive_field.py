"""How far a pixel reaches through a chain of strided layers, computed exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A convolution, pooling or transposed convolution, along one axis, padded "same".

    Attributes:
        size: Size of the kernel.
        stride: Step of the kernel: on the layer's input, or on its output if it is transposed.
        transposed: Whether the layer enlarges.
    """

    size: int
    stride: int = 1
    transposed: bool = False

    def reach(self, first: int, last: int) -> tuple[int, int]:
        """Says which outputs see any of the inputs from `first` to `last`, both included.

        Positions are counted from the image's edge, on each grid; the kernel is at least as
        large as the stride, and the larger grid a multiple of it.
        """
        # Keras pads an odd number of pixels with the odd one at the end.
        before = (self.size - self.stride) // 2
        if self.transposed:
            return first * self.stride - before, last * self.stride - before + self.size - 1
        return -((self.size - 1 - first - before) // self.stride), (last + before) // self.stride


def find_receptive_field(windows: Sequence[Window], stride: int) -> int:
    """Follows a pixel through all layers, to the furthest pixel that it changes.

    How far that is depends on where the pixel lies in its cell of the coarsest grid, so that
    each place is tried. A layer with a shortcut counts as its widest branch.

    Args:
        windows: The layers, from the noisy image to the denoised one.
        stride: Pixels in a cell of the coarsest grid.
    """
    radius = 0
    for pixel in range(stride):
        first = last = pixel
        for window in windows:
            first, last = window.reach(first, last)
        radius = max(radius, pixel - first, last - pixel)
    return radius
