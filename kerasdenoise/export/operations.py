"""What the GPUs and NPUs of phones compute, and whether a file holds nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError

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
            f"needs {', '.join(lacking)}, which not all GPUs and NPUs of phones have",
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
                    f"enlarges {side} values by {stride}, which LiteRT does wrongly on GPUs",
                    f"give a --size of which {side} becomes a multiple of {stride}",
                )
