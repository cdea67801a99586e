"""LiteRT files for runtimes that take images of one size only, as those of browsers and phones."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasdenoise.errors import ModelError


def fix_shape(path: Path, height: int, width: int) -> bytes:
    """Gives a LiteRT file of images of any size one size, and leaves all else as it is.

    Only the sizes of what goes in and out are rewritten: a runtime works out those in between
    when it prepares the network, as it does after a resize.

    Args:
        path: A `.tflite` whose inputs and outputs are (batch, height, width, channels) with
            dynamic height and width, and a batch of 1 or dynamic.
        height: Rows of the images, a multiple of the model's stride.
        width: Columns of the images, a multiple of the model's stride.

    Returns:
        The content of the new file, for (1, height, width, channels); as long as that of the
        given one.

    Raises:
        ModelError: The file is not a LiteRT file of images, or its size is fixed already.
    """
    from ai_edge_litert import schema_py_generated as schema

    content = bytearray(path.read_bytes())
    with parsed(path, content):
        _fix(schema.Model.GetRootAs(content).Subgraphs(0), path, height, width)
    return bytes(content)


def _fix(graph: Any, path: Path, height: int, width: int) -> None:  # generated code says no types
    for index in (*graph.InputsAsNumpy(), *graph.OutputsAsNumpy()):
        tensor = graph.Tensors(int(index))
        # Views of the content. Where the signature, which dynamic sizes alone have, holds -1, the
        # shape holds a 1 that means nothing.
        shape, signature = tensor.ShapeAsNumpy(), tensor.ShapeSignatureAsNumpy()
        if tensor.ShapeSignatureLength() != 4 or any(signature[1:3] != -1):
            raise ModelError(
                path,
                f"its tensor {tensor.Name().decode()} is not an image of any size",
                "give a file that `kerasdenoise export` wrote",
            )
        for sizes in (shape, signature):
            sizes[:3] = 1, height, width


@contextlib.contextmanager
def parsed(path: Path, content: bytes | bytearray) -> Iterator[None]:
    """Has all that a damaged LiteRT file makes generated code raise become one error.

    Args:
        path: The file.
        content: What is in it.

    Raises:
        ModelError: It is not a LiteRT file, or cannot be followed.
    """
    from ai_edge_litert import schema_py_generated as schema

    try:
        if not schema.Model.ModelBufferHasIdentifier(content, 0):
            raise ValueError("no identifier")
        yield
    except (AttributeError, IndexError, TypeError, ValueError, struct.error) as error:
        raise ModelError(path, "not a LiteRT file", "export the model again") from error
