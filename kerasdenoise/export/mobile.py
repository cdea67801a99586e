"""The same network as a graph that the GPUs and NPUs of phones take whole."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.export.mobile_layers import (
    MobileDiffusionStep,
    MobileEdgeIndicator,
    MobileIterationGates,
    MobileLambdaLayer,
    MobileP1Coefficient,
)
from kerasdenoise.layers.diffusion_step import DiffusionStep, IterationGates
from kerasdenoise.layers.lambda_layer import LambdaLayer
from kerasdenoise.layers.p1_coefficient import EdgeIndicator, P1Coefficient
from kerasdenoise.models import Primitives
from kerasdenoise.models._parts import Inputs
from kerasdenoise.models._primitives import rebuild
from kerasdenoise.tensors import Tensor

# The version of the operation that has a bias, but no activation within it. LiteRT's GPU
# accelerator knows no later one.
_VERSION = 3
# That of a product of integers.
_INT8_VERSION = 2
_LARGEST_INT8 = 127

# What LiteRT's plugin for MediaTek's NPUs has, as its source lists it, but for products of two
# computed matrices, which LiteRT's GPU accelerator refuses. Missing are EXP and LOG, gathering,
# rearranging pixels into channels, mirrored padding, and sorting.
ACCEPTED = {
    "ABS",
    "ADD",
    "AVERAGE_POOL_2D",
    "CAST",
    "CONCATENATION",
    "CONV_2D",
    "DEPTHWISE_CONV_2D",
    "DEQUANTIZE",
    "DIV",
    "FULLY_CONNECTED",
    "GREATER",
    "LOGISTIC",
    "MAXIMUM",
    "MAX_POOL_2D",
    "MEAN",
    "MINIMUM",
    "MUL",
    "PAD",
    "QUANTIZE",
    "REDUCE_MAX",
    "RELU",
    "RESHAPE",
    "RESIZE_BILINEAR",
    "RESIZE_NEAREST_NEIGHBOR",
    "RSQRT",
    "SLICE",
    "SOFTMAX",
    "SPLIT",
    "SQRT",
    "SQUARED_DIFFERENCE",
    "STRIDED_SLICE",
    "SUB",
    "SUM",
    "TANH",
    "TRANSPOSE",
    "TRANSPOSE_CONV",
}

_LARGEST_RANK = 4

# What takes the place of this package's layers.
_LAYERS: dict[type[Any], type[Any]] = {
    DiffusionStep: MobileDiffusionStep,
    EdgeIndicator: MobileEdgeIndicator,
    IterationGates: MobileIterationGates,
    LambdaLayer: MobileLambdaLayer,
    P1Coefficient: MobileP1Coefficient,
}


class MobilePrimitives(Primitives):
    """Makes networks that convolve where others move pixels into channels and back.

    Not all accelerators can rearrange. A convolution of rearranged pixels is one of the pixels
    themselves with a larger kernel and stride; a convolution whose result is rearranged is a
    transposed one. The weights are the same in another order, and so is the arithmetic.

    Args:
        is_sized: Whether images get one size, so that an image can be enlarged to another one.
    """

    def __init__(self, *, is_sized: bool) -> None:
        super().__init__()
        self._is_sized = is_sized

    def gather(
        self, x: Tensor, block: int, filters: int, kernel: int, name: str, **options: Any
    ) -> Tensor:
        """Convolves the pixels themselves, block by block."""
        self.kernels[name] = functools.partial(_gather_kernel, block=block)
        return self.convolve(x, filters, block * kernel, name, strides=block, **options)

    def spread(
        self, x: Tensor, block: int, filters: int, kernel: int, name: str, **options: Any
    ) -> Tensor:
        """Makes a block of each pixel by a transposed convolution."""
        self.kernels[name] = functools.partial(_spread_kernel, block=block)
        return _enlarging(filters, block * kernel, block, name, **options)(x)

    def enlarge(self, x: Tensor, block: int, name: str) -> Tensor:
        """Makes a block of equal pixels of each pixel."""
        if self._is_sized:
            return Enlarge(block, name=name)(x)
        channels = x.shape[-1]
        return _enlarging(channels, block, block, name, kernel_initializer=_repeat)(x)

    def layer(self, kind: type[Any], *args: Any, **options: Any) -> Any:
        """Makes the layer of what accelerators have."""
        return _LAYERS.get(kind, kind)(*args, **options)

    def pass_context(self, inputs: Inputs, layer: keras.layers.Layer, x: Tensor) -> Tensor:
        """Applies the layer to the image, which is not a tile of another one."""
        del inputs
        return layer(x)


class Enlarge(keras.layers.Layer):
    """Makes a block of equal pixels of each pixel, of images whose size is known.

    Args:
        block: Height and width of a block.
        **options: Other settings of a Keras layer.

    Call arguments:
        inputs: Images (batch, height, width, channels).
    """

    def __init__(self, block: int, **options: Any) -> None:
        super().__init__(**options)
        self.block = block

    def call(self, inputs: Tensor) -> Tensor:
        """Returns the larger images."""
        size = tuple(self.block * side for side in inputs.shape[1:3])
        return keras.ops.image.resize(inputs, size, interpolation="nearest")

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Returns the shape of the larger images."""
        batch, height, width, channels = shape
        return batch, height and self.block * height, width and self.block * width, channels

    def get_config(self) -> dict[str, Any]:
        """Returns what the layer is made of."""
        return {**super().get_config(), "block": self.block}


def make_mobile(
    denoiser: keras.Model,
    build: Callable[[Primitives], keras.Model] | None,
    height: int | None,
    width: int | None,
) -> keras.Model:
    """Makes a network for phones, of images of one size.

    Args:
        denoiser: A functional model of images (batch, height, width, channels).
        build: What builds it of other primitives, if it needs any; see `models.find_builder`.
        height: Rows of the images, a multiple of the network's stride, or None for any.
        width: Columns of the images, likewise.

    Returns:
        A functional model of one image, which computes the same.
    """
    if build is not None:
        denoiser = rebuild(denoiser, build, MobilePrimitives(is_sized=height is not None))
    return fix_size(denoiser, height, width)


def fix_size(network: keras.Model, height: int | None, width: int | None) -> keras.Model:
    """Returns a network of one image of this size, or of any where that is None."""
    inputs = [
        keras.Input((height, width, tensor.shape[3]), batch_size=1, name=tensor.name)
        for tensor in network.inputs
    ]
    given = inputs if len(inputs) > 1 else inputs[0]
    return keras.Model(given, network(given), name=network.name)


def replace_operations(path: Path) -> None:
    """Replaces operations of a file that accelerators lack by some that they have.

    Activations of transposed convolutions, into which LiteRT's converter puts a ReLU that follows,
    become operations of their own. Squares, negative numbers, and what is subtracted from itself
    become products. The file computes the same afterwards.

    Args:
        path: A `.tflite`, which is written anew.
    """
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    operation = schema.BuiltinOperator
    graph = model.subgraphs[0]
    kept = []
    for each in graph.operators:
        kept.append(each)
        code = model.operatorCodes[each.opcodeIndex].builtinCode
        if code == operation.SQUARE:
            _make_product(model, graph, each, None)
        elif code == operation.NEG:
            _make_product(model, graph, each, -1.0)
        elif code == operation.SUB and each.inputs[0] == each.inputs[1]:
            _make_product(model, graph, each, 0.0)
        if code != operation.TRANSPOSE_CONV:
            continue
        activation = each.builtinOptions.fusedActivationFunction
        if activation == schema.ActivationFunctionType.RELU:
            each.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
            kept.append(_append_relu(model, graph, each))
    graph.operators = kept
    _drop_unused_codes(model)
    for code in model.operatorCodes:
        if code.builtinCode == operation.TRANSPOSE_CONV:
            code.version = min(code.version, _VERSION)
    builder = flatbuffers.Builder(path.stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


def _make_product(model: Any, graph: Any, each: Any, factor: float | None) -> None:
    """Turns an operation of a tensor into its product with a number, or with itself for None."""
    from ai_edge_litert import schema_py_generated as schema

    given = other = each.inputs[0]
    if factor is not None:
        other = _append_number(model, graph, factor, graph.tensors[given].type)
    each.inputs = [given, other]
    each.opcodeIndex = _find_code(model, schema.BuiltinOperator.MUL)
    if graph.tensors[given].type == schema.TensorType.INT8:
        code = model.operatorCodes[each.opcodeIndex]
        code.version = max(code.version, _INT8_VERSION)
    each.builtinOptionsType = schema.BuiltinOptions.MulOptions
    each.builtinOptions = schema.MulOptionsT()


def _append_number(model: Any, graph: Any, number: float, kind: int) -> int:
    """Gives a graph a number in [-1, 1], float32 or int8, and returns the index of its tensor."""
    from ai_edge_litert import schema_py_generated as schema

    buffer, tensor = schema.BufferT(), schema.TensorT()
    values = np.array(number, np.float32)
    if kind == schema.TensorType.INT8:
        values = np.array(round(number * _LARGEST_INT8), np.int8)
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale = [1 / _LARGEST_INT8]
        tensor.quantization.zeroPoint = [0]
    buffer.data = list(values.tobytes())
    model.buffers.append(buffer)
    tensor.name, tensor.shape = f"number_{len(graph.tensors)}", []
    tensor.type, tensor.buffer = kind, len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _append_relu(model: Any, graph: Any, convolution: Any) -> Any:
    """Gives a convolution a result of its own, of which a ReLU makes what was its result."""
    from ai_edge_litert import schema_py_generated as schema

    (result,) = convolution.outputs
    before = copy.copy(graph.tensors[result])
    before.name = before.name + b";before"
    graph.tensors.append(before)
    convolution.outputs = [len(graph.tensors) - 1]
    relu = schema.OperatorT()
    relu.opcodeIndex = _find_code(model, schema.BuiltinOperator.RELU)
    relu.inputs, relu.outputs = convolution.outputs, [result]
    return relu


def _find_code(model: Any, builtin: int) -> int:
    """The index of an operation among those of a file, which is made to have it."""
    from ai_edge_litert import schema_py_generated as schema

    for index, code in enumerate(model.operatorCodes):
        if code.builtinCode == builtin:
            return index
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def _drop_unused_codes(model: Any) -> None:
    """Takes operations from a file's list that no longer occur."""
    used = sorted({each.opcodeIndex for graph in model.subgraphs for each in graph.operators})
    for graph in model.subgraphs:
        for each in graph.operators:
            each.opcodeIndex = used.index(each.opcodeIndex)
    model.operatorCodes = [model.operatorCodes[index] for index in used]


def check_operations(path: Path, name: str) -> None:
    """Checks that the accelerators of phones take a LiteRT file whole.

    Args:
        path: The file.
        name: What the network is called.

    Raises:
        ModelError: It holds an operation that not all of them have, a tensor of more than four
            dimensions, or a transposed convolution that LiteRT computes wrongly on GPUs.
    """
    from ai_edge_litert import schema_py_generated as schema

    names = {code: each for each, code in vars(schema.BuiltinOperator).items()}
    model: Any = schema.ModelT.InitFromPackedBuf(path.read_bytes())
    # The older of both fields ends at 127.
    codes = {max(each.builtinCode, each.deprecatedBuiltinCode) for each in model.operatorCodes}
    lacking = sorted({names[code] for code in codes} - ACCEPTED)
    ranks = [len(each.shape) for each in model.subgraphs[0].tensors if each.shape is not None]
    if max(ranks) > _LARGEST_RANK:
        lacking.append(f"tensors of {max(ranks)} dimensions")
    if lacking:
        raise ModelError(
            name,
            f"needs {', '.join(lacking)}, which not all phone GPUs and NPUs support",
            "export it with --target cpu",
        )
    _check_enlarging(model, name)


def _check_enlarging(model: Any, name: str) -> None:
    """Refuses transposed convolutions that LiteRT computes wrongly on GPUs.

    Tried with LiteRT 2.3: right are those of stride 2 and an even kernel, and others on sides
    that are multiples of the stride. No error is reported of the rest.
    """
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    for each in graph.operators:
        if (
            model.operatorCodes[each.opcodeIndex].builtinCode
            != schema.BuiltinOperator.TRANSPOSE_CONV
        ):
            continue
        kernel, given = (graph.tensors[index].shape[1:3] for index in each.inputs[1:3])
        strides = each.builtinOptions.strideH, each.builtinOptions.strideW
        for size, side, stride in zip(kernel, given, strides, strict=True):
            if side % stride and not (stride == 2 and size % 2 == 0):
                raise ModelError(
                    name,
                    f"enlarges {side} values by {stride}, which LiteRT does wrong on GPUs",
                    f"give a --size for which {side} is a multiple of {stride}",
                )


def _enlarging(
    filters: int, kernel: int, block: int, name: str, **options: Any
) -> keras.layers.Conv2DTranspose:
    return keras.layers.Conv2DTranspose(
        filters, kernel, strides=block, padding="same", use_bias=False, name=name, **options
    )


def _repeat(shape: tuple[int, ...], dtype: Any = None, **_: Any) -> Tensor:
    """The kernel of a transposed convolution that makes equal pixels."""
    rows, columns, channels, _inputs = shape
    return keras.ops.convert_to_tensor(np.tile(np.eye(channels), (rows, columns, 1, 1)), dtype)


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
