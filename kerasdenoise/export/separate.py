"""LiteRT files whose transposed convolutions GPUs know."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

# The version of the operation that has a bias, but no activation within it. LiteRT's GPU
# accelerator knows no later one.
_VERSION = 3


def separate_activations(path: Path) -> None:
    """Takes activations out of a file's transposed convolutions, as operations of their own.

    LiteRT's converter puts a ReLU that follows into the convolution. The file computes the same
    afterwards.

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
        if model.operatorCodes[each.opcodeIndex].builtinCode != operation.TRANSPOSE_CONV:
            continue
        activation = each.builtinOptions.fusedActivationFunction
        if activation == schema.ActivationFunctionType.RELU:
            each.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.NONE
            kept.append(_append_relu(model, graph, each))
    graph.operators = kept
    for code in model.operatorCodes:
        if code.builtinCode == operation.TRANSPOSE_CONV:
            code.version = min(code.version, _VERSION)
    builder = flatbuffers.Builder(path.stat().st_size)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))


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
