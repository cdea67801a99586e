"""ONNX files of a network, for onnxruntime, DirectML, Core ML, WebGPU and others."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.inference.engines import ONNX_OUTPUT
from kerasdenoise.runtime import quiet_stderr

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")

# What all engines of 2023 and later know.
_OPSET = 17

# The names of the free sizes; darktable looks for these.
_FREE = {2: "height", 3: "width"}


def has_onnx() -> bool:
    """Whether the packages of the extra `onnx` are installed."""
    return all(importlib.util.find_spec(name) for name in PACKAGES)


def check_onnx(option: str) -> None:
    """Refuses an option that needs the extra `onnx`, if that is not installed.

    Raises:
        UsageError: A package is missing.
    """
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(
            option,
            f"needs missing packages: {', '.join(missing)}",
            'run pip install "kerasdenoise[onnx]"',
        )


def convert_litert(
    litert: Path, target: Path, *, half: bool = False, size: int | None = None
) -> None:
    """Converts a LiteRT file to ONNX.

    Tensors are (1, channels, height, width), as engines for GPUs prefer. Input and output are
    float32. The inputs keep their names; the output is called `denoised`.

    Args:
        litert: A float32 LiteRT file with one signature, of any size.
        target: The file to write; its name ends in `.onnx`.
        half: Whether weights have 16 bits, and the engine computes in 16 bits where it can.
        size: Height and width of its images, or None for any.

    Raises:
        ModelError: The network needs an operation that tf2onnx does not have in ONNX.
    """
    import onnx
    import tf2onnx
    from ai_edge_litert.interpreter import Interpreter

    with quiet_stderr():
        runner = Interpreter(str(litert)).get_signature_runner()
    inputs = {d["name"]: name for name, d in runner.get_input_details().items()}
    outputs = {d["name"]: ONNX_OUTPUT for d in runner.get_output_details().values()}
    try:
        # It says on stderr that an image of one pixel does not run.
        with quiet_stderr():
            model, _ = tf2onnx.convert.from_tflite(
                str(litert),
                opset=_OPSET,
                inputs_as_nchw=list(inputs),
                outputs_as_nchw=list(outputs),
            )
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[-1]
        raise ModelError(
            litert, f"cannot be converted to ONNX ({reason})", "use its LiteRT file"
        ) from error
    _set_sizes(model.graph, size)
    if half:
        from onnxruntime.transformers.float16 import convert_float_to_float16
        from onnxruntime.transformers.onnx_model import OnnxModel

        model = convert_float_to_float16(model, keep_io_types=True)
        OnnxModel.graph_topological_sort(model.graph)
    _rename(model.graph, {**inputs, **outputs})
    onnx.checker.check_model(model)
    target.write_bytes(model.SerializeToString(deterministic=True))


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Names tensors as given, and all others by their order.

    tf2onnx counts all names of a process, so that its second file would differ from its first.
    """
    tensors = [name for node in graph.node for name in (*node.input, *node.output) if name]
    order = {name: number for number, name in enumerate(dict.fromkeys(tensors))}
    graph.initializer.sort(key=lambda each: order[each.name])
    # An optional input that is missing is an empty name.
    names = {"": ""} | {name: f"t{number}" for name, number in order.items()} | names
    for each in (*graph.input, *graph.output, *graph.initializer):
        each.name = names[each.name]
    for number, node in enumerate(graph.node):
        node.name = f"n{number}"
        node.input[:] = [names[name] for name in node.input]
        node.output[:] = [names[name] for name in node.output]


def _set_sizes(graph: Any, size: int | None) -> None:
    for each in (*graph.input, *graph.output):
        for axis, name in _FREE.items():
            dimension = each.type.tensor_type.shape.dim[axis]
            if size:
                dimension.dim_value = size
            else:
                dimension.dim_param = name
    # The shapes of what lies between are of no use, and wrong for another size.
    del graph.value_info[:]
