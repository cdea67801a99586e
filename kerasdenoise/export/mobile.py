"""The same network as a graph that the GPUs and NPUs of phones take whole."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

# A symbolic tensor. Keras defines no public type for it.
Tensor = Any

# Activations that act on each number by itself, so that it may be moved before or after.
_ELEMENTWISE = ("linear", "relu")


def make_mobile(denoiser: keras.Model, height: int | None, width: int | None) -> keras.Model:
    """Writes a network as convolutions where it moves pixels into channels and back.

    Not all accelerators can rearrange. A convolution of rearranged pixels is one of the pixels
    themselves with a larger kernel and stride; a convolution whose result is rearranged is a
    transposed one. The weights are the same in another order, and so is the arithmetic. Where
    one value is repeated over a block, the image is enlarged. All other layers are the network's
    own.

    Args:
        denoiser: A functional model of images (batch, height, width, channels).
        height: Rows of the images, a multiple of the network's stride, or None for any.
        width: Columns of the images, likewise.

    Returns:
        A functional model of one image, which computes the same.
    """
    inputs = [
        keras.Input(_fill(tensor.shape, height, width), batch_size=1, name=tensor.name)
        for tensor in denoiser.inputs
    ]
    return keras.models.clone_model(
        denoiser,
        input_tensors=inputs if isinstance(denoiser.input, list) else inputs[0],
        clone_function=lambda layer: layer,
        call_function=_Writer(),
    )


def _fill(shape: tuple[int | None, ...], height: int | None, width: int | None) -> tuple:
    return (height, width, shape[3]) if len(shape) == 4 else shape[1:]


class _Writer:
    """Applies the operations of a network one after the other, or others in their place.

    What turns out not to be needed, as it became part of a later operation, is on no way to the
    network's output and so no part of the new network.
    """

    def __init__(self) -> None:
        # Tensors that are rearranged pixels: what they were made of, and the edge of the blocks.
        self._gathered: dict[int, tuple[Tensor, int]] = {}
        # Results of convolutions: the layer and its input.
        self._convolved: dict[int, tuple[keras.layers.Conv2D, Tensor]] = {}
        # Tensors of repeated channels: what they were made of, and how often it is repeated.
        self._repeated: dict[int, tuple[Tensor, int]] = {}
        # Keeps the tensors, so that no other one gets the identity of one of them.
        self._kept: list[Tensor] = []

    def __call__(self, operation: Any, *args: Any, **kwargs: Any) -> Any:
        """Applies an operation, or what stands for it."""
        # By their names: Keras has these classes, but not in public.
        match type(operation).__name__:
            case "SpaceToDepth":
                return self._gather(args[0], operation.block_size)
            case "DepthToSpace":
                return self._spread(args[0], operation.block_size)
            case "Tile" if _repeats_channels(operation):
                return self._repeat(args[0], operation.repeats[3])
            case "Conv2D":
                return self._convolve(operation, args[0])
        return operation(*args, **kwargs)

    def _gather(self, x: Tensor, block: int) -> Tensor:
        """Moves blocks of pixels into channels."""
        channels = x.shape[3]
        result = self._apply(
            x,
            keras.layers.Conv2D(channels * block**2, block, strides=block, use_bias=False),
            _gather_kernel(np.eye(channels * block**2)[None, None], block),
        )
        self._gathered[id(result)] = x, block
        return result

    def _convolve(self, layer: keras.layers.Conv2D, x: Tensor) -> Tensor:
        """Convolves; rearranged pixels by one convolution of the pixels themselves."""
        source, block = self._gathered.get(id(x), (x, 1))
        if block == 1 or not _can_gather(layer):
            return self._remember(layer(x), layer, x)
        config = layer.get_config()
        config["kernel_size"] = [block * size for size in layer.kernel_size]
        config["strides"] = [block * size for size in layer.strides]
        kernel, *bias = layer.get_weights()
        return self._apply(source, _make(layer, config), _gather_kernel(kernel, block), *bias)

    def _spread(self, x: Tensor, block: int) -> Tensor:
        """Moves channels into blocks of pixels, by the convolution that made them if it can."""
        repeated, times = self._repeated.get(id(x), (x, 0))
        if times == block**2:
            return self._enlarge(repeated, block)
        layer, source = self._convolved.get(id(x), (None, x))
        channels = x.shape[3] // block**2
        if layer is not None and _can_spread(layer):
            kernel = layer.get_weights()[0]
            options = {"name": layer.name, "activation": layer.activation}
        else:
            kernel, options, source = np.eye(x.shape[3])[None, None], {}, x
        spread = keras.layers.Conv2DTranspose(
            channels,
            block * kernel.shape[0],
            strides=block,
            padding="same",
            use_bias=False,
            dtype=x.dtype,
            **options,
        )
        return self._apply(source, spread, _spread_kernel(kernel, block))

    def _repeat(self, x: Tensor, times: int) -> Tensor:
        """Repeats all channels."""
        channels = x.shape[3]
        kernel = np.tile(np.eye(channels), times)[None, None]
        layer = keras.layers.Conv2D(channels * times, 1, use_bias=False, dtype=x.dtype)
        result = self._apply(x, layer, kernel)
        self._repeated[id(result)] = x, times
        return result

    def _enlarge(self, x: Tensor, block: int) -> Tensor:
        """Makes a block of each pixel."""
        _, height, width, channels = x.shape
        if height and width:
            size = (block * height, block * width)
            result = keras.ops.image.resize(x, size, interpolation="nearest")
            self._kept.append(result)
            return result
        layer = keras.layers.Conv2DTranspose(
            channels, block, strides=block, padding="same", use_bias=False, dtype=x.dtype
        )
        return self._apply(x, layer, np.tile(np.eye(channels), (block, block, 1, 1)))

    def _apply(self, x: Tensor, layer: Any, *weights: np.ndarray) -> Tensor:
        result = layer(x)
        layer.set_weights(weights)
        return self._remember(result, layer, x)

    def _remember(self, result: Tensor, layer: Any, x: Tensor) -> Tensor:
        if type(layer) is keras.layers.Conv2D:
            self._convolved[id(result)] = layer, x
        self._kept.append(result)
        return result


def _make(layer: keras.layers.Conv2D, config: dict[str, Any]) -> keras.layers.Conv2D:
    return type(layer).from_config(config)


def _repeats_channels(tile: Any) -> bool:
    return len(tile.repeats) == 4 and tuple(tile.repeats[:3]) == (1, 1, 1)


def _can_gather(layer: keras.layers.Conv2D) -> bool:
    """Whether padding by whole blocks is what the larger kernel has, which halves it anew."""
    odd = any(
        max(0, size - stride) % 2
        for size, stride in zip(layer.kernel_size, layer.strides, strict=True)
    )
    plain = layer.groups == 1 and set(layer.dilation_rate) == {1}
    return plain and (layer.padding == "valid" or (layer.padding == "same" and not odd))


def _can_spread(layer: keras.layers.Conv2D) -> bool:
    """Whether the layer's padding is a transposed one's, and each pixel of a block has no bias."""
    height, width = layer.kernel_size
    return (
        height == width
        and height % 2 == 1
        and (layer.padding == "same" or height == 1)
        and layer.strides == (1, 1)
        and layer.dilation_rate == (1, 1)
        and layer.groups == 1
        and not layer.use_bias
        and keras.activations.serialize(layer.activation) in _ELEMENTWISE
    )


def _gather_kernel(kernel: np.ndarray, block: int) -> np.ndarray:
    """The kernel (rows, columns, inputs, outputs) for pixels, of one for rearranged pixels."""
    rows, columns, inputs, outputs = kernel.shape
    split = kernel.reshape(rows, columns, block, block, inputs // block**2, outputs)
    shape = (rows * block, columns * block, inputs // block**2, outputs)
    return split.transpose(0, 2, 1, 3, 4, 5).reshape(shape)


def _spread_kernel(kernel: np.ndarray, block: int) -> np.ndarray:
    """The kernel (rows, columns, outputs, inputs) of the transposed convolution."""
    rows, columns, inputs, outputs = kernel.shape
    # What a convolution gathers from before a pixel, its transpose sends to after it.
    turned = kernel[::-1, ::-1]
    split = turned.reshape(rows, columns, inputs, block, block, outputs // block**2)
    shape = (rows * block, columns * block, outputs // block**2, inputs)
    return split.transpose(0, 3, 1, 4, 5, 2).reshape(shape)
