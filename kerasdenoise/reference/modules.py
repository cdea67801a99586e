"""Functions of images that know their derivatives: convolutions as matrix products, and others."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.reference.windows import Pair, Windows, fold, unfold


class Module(abc.ABC):
    """A function of images, with its backward pass.

    `forward` keeps what `backward` needs, so that a backward pass belongs to the last forward
    pass. Computation is in the type of what is given: float32 images and parameters give
    float32 results, float64 ones float64.
    """

    def __init__(self) -> None:
        self._kept: tuple[tuple[int, ...], Any] | None = None

    @property
    def parameters(self) -> list[np.ndarray]:
        """What is trained, in Keras' order: the arrays themselves, to be changed in place."""
        return []

    @property
    def gradients(self) -> list[np.ndarray]:
        """The loss's derivative by each parameter, as the last backward pass found it.

        Empty before the first. A pass replaces the values of the one before; they are not
        summed.
        """
        return []

    @abc.abstractmethod
    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Applies the function.

        Args:
            inputs: Numbers (batch, height, width, channels).

        Returns:
            Numbers (batch, height, width, channels) of what may be another size.
        """

    @abc.abstractmethod
    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Takes a loss's derivative by the outputs to its derivative by the inputs.

        Args:
            gradient: Of the shape of the last forward pass's outputs.

        Returns:
            Numbers of the shape of its inputs.

        Raises:
            UsageError: If there was no forward pass, or its outputs have another shape.
        """

    def _keep(self, outputs: np.ndarray, kept: Any) -> np.ndarray:
        """Keeps what the backward pass needs, and returns the outputs."""
        self._kept = (outputs.shape, kept)
        return outputs

    def _recall(self, gradient: np.ndarray) -> Any:
        """Returns what the forward pass kept, if the gradient is one of its outputs."""
        name = type(self).__name__
        if self._kept is None:
            raise UsageError(name, "has no forward pass to go back", "call forward first")
        shape, kept = self._kept
        if gradient.shape != shape:
            raise UsageError(
                f"{name}'s gradient {gradient.shape}",
                "differs in shape from the outputs",
                f"give one of shape {shape}",
            )
        return kept


class ReLU(Module):
    """`forward: max(x, 0)`; `backward: g where x > 0, else 0`, as Keras has it at 0."""

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Sets negative values to 0; see `Module.forward`."""
        return self._keep(np.maximum(inputs, 0), inputs > 0)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Passes the gradient where the input was positive; see `Module.backward`."""
        return gradient * self._recall(gradient)


class Sigmoid(Module):
    """`forward: S(x) = 1 / (1 + exp(-x))`; `backward: g * S(x) * (1 - S(x))`.

    Dai and Liu's report prints the derivative as "S(x) S(1 - x)", which it is not.
    """

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Takes any number to between 0 and 1; see `Module.forward`."""
        # The logarithm of the formula, so that a large exponential does not overflow.
        outputs = np.exp(-np.logaddexp(0, -inputs))
        return self._keep(outputs, outputs)

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Multiplies with the derivative; see `Module.backward`."""
        outputs = self._recall(gradient)
        return gradient * outputs * (1 - outputs)


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
            f"is not a batch of images with {channels} channels",
            f"give (batch, height, width, {channels})",
        )
    return images.shape[:3]


class Sequential(Module):
    """Applies modules in their order, and goes back through them in reverse: the chain rule.

    Args:
        modules: The modules, the first one first.
    """

    def __init__(self, modules: Sequence[Module]) -> None:
        super().__init__()
        self.modules = tuple(modules)

    @property
    def parameters(self) -> list[np.ndarray]:
        """Those of all modules; `keras_model.set_weights` of a Keras twin takes them."""
        return [parameter for module in self.modules for parameter in module.parameters]

    @property
    def gradients(self) -> list[np.ndarray]:
        """Those of all modules, in the order of the parameters."""
        return [gradient for module in self.modules for gradient in module.gradients]

    def set_parameters(self, values: Sequence[np.ndarray]) -> None:
        """Copies values into the parameters, which keep their type.

        Args:
            values: One array for each parameter, as `keras_model.get_weights()` of a Keras twin
                gives them.

        Raises:
            ModelError: If their number or a shape differs; then nothing was copied.
        """
        parameters = self.parameters
        shapes = [np.shape(value) for value in values]
        expected = [parameter.shape for parameter in parameters]
        if shapes != expected:
            raise ModelError(
                f"parameters {shapes}", "are of another network", f"give arrays {expected}"
            )
        for parameter, value in zip(parameters, values, strict=True):
            parameter[...] = value

    def forward(self, inputs: np.ndarray) -> np.ndarray:
        """Applies all modules; see `Module.forward`."""
        for module in self.modules:
            inputs = module.forward(inputs)
        return inputs

    def backward(self, gradient: np.ndarray) -> np.ndarray:
        """Goes back through all modules; see `Module.backward`."""
        for module in reversed(self.modules):
            gradient = module.backward(gradient)
        return gradient
