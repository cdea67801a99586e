"""The convolution and its adjoint, the transposed convolution, as products of matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from kerasdenoise.errors import UsageError
from kerasdenoise.reference.module import Module
from kerasdenoise.reference.windows import Pair, Windows, fold, unfold


class _Weighted(Module):
    """A module with a kernel and a bias."""

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        filters: int,
        rng: np.random.Generator,
        dtype: DTypeLike,
    ) -> None:
        super().__init__()
        bound = (shape[0] * shape[1] * shape[2]) ** -0.5
        self.kernel = rng.uniform(-bound, bound, shape).astype(dtype)
        self.bias = rng.uniform(-bound, bound, filters).astype(dtype)
        self._gradients: list[np.ndarray] = []

    @property
    def parameters(self) -> list[np.ndarray]:
        """Kernel and bias."""
        return [self.kernel, self.bias]

    @property
    def gradients(self) -> list[np.ndarray]:
        """Of kernel and bias; see `Module.gradients`."""
        return self._gradients


class Convolution(_Weighted):
    """A convolution with bias, as `keras.layers.Conv2D` computes it.

    With `W` the kernel as a matrix (kernel height * kernel width * channels, filters), `g` the
    gradient as a matrix (windows, filters) and `^T` for the transpose:

    - `forward:   unfold(x) @ W + b`
    - `by W:      unfold(x)^T @ g`
    - `by b:      sum of g over the windows`
    - `by x:      fold(g @ W^T)`

    Kernel and bias are drawn from U(-k, k), k = 1 / sqrt(kernel height * kernel width *
    channels), as in `kerasdenoise.models` and PyTorch.

    Args:
        channels: Channels of the input.
        filters: Channels of the output.
        windows: Kernel size, stride and padding.
        rng: What the parameters are drawn with.
        dtype: Type of the parameters, float32 or float64.

    Attributes:
        kernel: (kernel height, kernel width, channels, filters), Keras' shape.
        bias: (filters,).

    Raises:
        UsageError: From `forward`, if the input's channels are others or it is too small.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        windows: Windows,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__((*windows.kernel, channels, filters), filters, rng, dtype)
        self.windows = windows

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Convolves: (batch, height, width, channels) to (batch, rows, columns, filters)."""
        channels, filters = self.kernel.shape[2:]
        batch, height, width = _check(inputs, channels)
        matrix = unfold(inputs, self.windows)
        outputs = matrix @ self.kernel.reshape(-1, filters) + self.bias
        shape = (batch, *self.windows.grid(height, width), filters)
        return self._keep(outputs.reshape(shape), (inputs.shape, matrix))

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Finds the gradients by kernel, bias and input; see `Module.backward`."""
        shape, matrix = self._recall(gradient)
        filters = len(self.bias)
        flat = gradient.reshape(-1, filters)
        self._gradients = [(matrix.T @ flat).reshape(self.kernel.shape), flat.sum(axis=0)]
        return fold(flat @ self.kernel.reshape(-1, filters).T, shape, self.windows)


class TransposedConvolution(_Weighted):
    """The adjoint of the convolution with the same kernel, and a bias.

    As `keras.layers.Conv2DTranspose` computes it: `<Conv x, y> = <x, ConvT y>` for all x and y,
    biases apart. The convolution's forward and backward passes change places. With `W` the kernel
    as a matrix (kernel height * kernel width * filters, channels), `x` the input as a matrix
    (windows, channels) and `g` the gradient, an image:

    - `forward:   fold(x @ W^T) + b`
    - `by W:      unfold(g)^T @ x`
    - `by b:      sum of g over the pixels`
    - `by x:      unfold(g) @ W`, the convolution of g

    Dai and Liu's report has the backward pass as a convolution with the kernel rotated. It is
    one with the kernel as it stands. Parameters are drawn as the convolution's, with
    filters in the place of channels.

    Args:
        channels: Channels of the input.
        filters: Channels of the output.
        windows: Kernel size, stride and padding, on the output. With "same" the output is
            stride times as large as the input, unless `output_padding` says otherwise.
        output_padding: Which of the sizes that the convolution takes to the input's the output
            has; see `Windows.image_size`. The report's layers, 3x3 of stride 2 with padding 1
            and output padding 1, are `Windows((3, 3), (2, 2), 1)` and None here.
        rng: What the parameters are drawn with.
        dtype: Type of the parameters, float32 or float64.

    Attributes:
        kernel: (kernel height, kernel width, filters, channels), Keras' shape.
        bias: (filters,).

    Raises:
        UsageError: From `forward`, if the input's channels are others or no output has this
            size.
    """

    def __init__(
        self,
        channels: int,
        filters: int,
        windows: Windows,
        *,
        output_padding: Pair | None = None,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        super().__init__((*windows.kernel, filters, channels), filters, rng, dtype)
        self.windows = windows
        self.output_padding = output_padding

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Enlarges: (batch, rows, columns, channels) to (batch, height, width, filters)."""
        filters, channels = self.kernel.shape[2:]
        batch, rows, columns = _check(inputs, channels)
        height, width = self.windows.image_size(rows, columns, self.output_padding)
        flat = inputs.reshape(-1, channels)
        matrix = flat @ self.kernel.reshape(-1, channels).T
        outputs = fold(matrix, (batch, height, width, filters), self.windows) + self.bias
        return self._keep(outputs, (inputs.shape, flat))

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Finds the gradients by kernel, bias and input; see `Module.backward`."""
        shape, flat = self._recall(gradient)
        matrix = unfold(gradient, self.windows)
        self._gradients = [
            (matrix.T @ flat).reshape(self.kernel.shape),
            gradient.sum(axis=(0, 1, 2)),
        ]
        return (matrix @ self.kernel.reshape(-1, shape[-1])).reshape(shape)


def _check(images: np.ndarray, channels: int) -> tuple[int, int, int]:
    """Returns batch, height and width of images that have the channels they should."""
    if images.ndim != 4 or images.shape[-1] != channels:
        raise UsageError(
            f"an array {images.shape}",
            f"is no batch of images of {channels} channels",
            f"give (batch, height, width, {channels})",
        )
    return images.shape[:3]
