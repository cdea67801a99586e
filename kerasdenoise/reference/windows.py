"""The windows that a convolution looks through, and the matrix that they make of an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from kerasdenoise.errors import UsageError

Pair = tuple[int, int]


@dataclass(frozen=True)
class Windows:
    """Where a kernel lies on an image.

    Attributes:
        kernel: Height and width of a window in pixels, at least 1.
        stride: Rows and columns from one window to the next, at least 1.
        padding: Zeros around the image. A number is that many on every side, and pixels that
            fill no window are left out. "same" is Keras' "same": an image of n pixels has
            `ceil(n / stride)` windows, and of the zeros that these need, if their number is
            odd, the odd one lies after the image.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: Literal["same"] | int = "same"

    def __post_init__(self) -> None:
        if min(*self.kernel, *self.stride) < 1:
            raise UsageError(str(self), "has a number below 1", "give positive numbers")
        if self.padding != "same" and (isinstance(self.padding, str) or self.padding < 0):
            raise UsageError(
                f"padding {self.padding!r}", "is unknown", "give 'same' or a number from 0 on"
            )

    def pads(self, height: int, width: int) -> tuple[Pair, Pair]:
        """Counts the zeros around an image: ((above, below), (left, right))."""
        rows, columns = (
            self._pad(size, kernel, stride)
            for size, kernel, stride in zip((height, width), self.kernel, self.stride, strict=True)
        )
        return rows, columns

    def grid(self, height: int, width: int) -> Pair:
        """Counts the windows of an image: rows and columns of them.

        Raises:
            UsageError: If the padded image is smaller than a window.
        """
        room = [
            size + sum(pads) - kernel
            for size, pads, kernel in zip(
                (height, width), self.pads(height, width), self.kernel, strict=True
            )
        ]
        if min(height, width) < 1 or min(room) < 0:
            raise UsageError(
                f"an image of {height}x{width} pixels",
                f"has no window of {self.kernel[0]}x{self.kernel[1]}",
                "give a larger image or more padding",
            )
        return room[0] // self.stride[0] + 1, room[1] // self.stride[1] + 1

    def image_size(self, rows: int, columns: int, output_padding: Pair | None = None) -> Pair:
        """Finds the size of an image that has this grid of windows: `grid` backwards.

        Of each axis, as many sizes in a row as the stride have the same grid. The smallest is
        `(rows - 1) * stride + kernel - 2 * padding`, or `(rows - 1) * stride + 1` with "same".

        Args:
            rows: Rows of windows, at least 1.
            columns: Columns of windows, at least 1.
            output_padding: Rows and columns beyond the smallest size, below the stride; None is
                the largest, `rows * stride` with "same". It is PyTorch's `output_padding`, and
                with "same" and odd kernels Keras' (which is one more for even kernels).

        Returns:
            Height and width.

        Raises:
            UsageError: If it is not below the stride, or no image has this grid.
        """
        largest = (self.stride[0] - 1, self.stride[1] - 1)
        extra = largest if output_padding is None else output_padding
        if not all(0 <= more < stride for more, stride in zip(extra, self.stride, strict=True)):
            raise UsageError(
                f"output_padding {output_padding}",
                f"is not between 0 and the stride {self.stride}",
                "give less than the stride, or None",
            )
        least = [
            1 if self.padding == "same" else kernel - 2 * self.padding for kernel in self.kernel
        ]
        height = (rows - 1) * self.stride[0] + least[0] + extra[0]
        width = (columns - 1) * self.stride[1] + least[1] + extra[1]
        if min(rows, columns, height, width) < 1:
            raise UsageError(
                f"a grid of {rows}x{columns} windows",
                f"is that of no image, with {self}",
                "give a larger grid or less padding",
            )
        return height, width

    def _pad(self, size: int, kernel: int, stride: int) -> Pair:
        if self.padding != "same":
            return self.padding, self.padding
        needed = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        return needed // 2, needed - needed // 2


def unfold(images: np.ndarray, windows: Windows) -> np.ndarray:
    """Writes each window of each image as the row of a matrix (im2col).

    A convolution is the product of this matrix with the kernel's.

    Args:
        images: Numbers (batch, height, width, channels).
        windows: Where the windows lie.

    Returns:
        (batch * rows * columns, kernel height * kernel width * channels), of the images' type.
        A row lists a window's pixels line by line, each with all its channels, as Keras'
        kernels do.

    Raises:
        UsageError: If an image is smaller than a window.
    """
    batch, height, width, channels = images.shape
    rows, columns = windows.grid(height, width)
    padded = np.pad(images, ((0, 0), *windows.pads(height, width), (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, windows.kernel, axis=(1, 2))
    views = np.moveaxis(views[:, :: windows.stride[0], :: windows.stride[1]], 3, -1)
    return views.reshape(batch * rows * columns, windows.kernel[0] * windows.kernel[1] * channels)


def fold(matrix: np.ndarray, shape: tuple[int, int, int, int], windows: Windows) -> np.ndarray:
    """Adds each row of a matrix to its window of an image (col2im).

    It is the adjoint of `unfold`, not its inverse: where windows overlap their values add up,
    and what falls on the padding is lost. `<unfold(x), m> = <x, fold(m)>` for all x and m.

    Args:
        matrix: Numbers (batch * rows * columns, kernel height * kernel width * channels).
        shape: The images', (batch, height, width, channels).
        windows: Where the windows lie.

    Returns:
        The images, of the matrix's type.

    Raises:
        UsageError: If the matrix is not of the shape that `unfold` gives such images.
    """
    batch, height, width, channels = shape
    rows, columns = windows.grid(height, width)
    expected = (batch * rows * columns, windows.kernel[0] * windows.kernel[1] * channels)
    if matrix.shape != expected:
        raise UsageError(
            f"a matrix {matrix.shape}",
            f"is not that of images {shape}",
            f"give one of shape {expected}",
        )
    (above, below), (left, right) = windows.pads(height, width)
    padded = np.zeros((batch, above + height + below, left + width + right, channels), matrix.dtype)
    parts = matrix.reshape(batch, rows, columns, *windows.kernel, channels)
    # Pixels at one place of their windows never overlap, so that a slice takes them all.
    for row, column in np.ndindex(*windows.kernel):
        down = slice(row, row + rows * windows.stride[0], windows.stride[0])
        across = slice(column, column + columns * windows.stride[1], windows.stride[1])
        padded[:, down, across] += parts[:, :, :, row, column]
    return padded[:, above : above + height, left : left + width]
