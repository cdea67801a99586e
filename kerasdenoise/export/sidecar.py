"""What a program must know to run a LiteRT file, as JSON beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kerasdenoise._version import __version__
from kerasdenoise.inference.tone import fixed_halo, tile_stride


def describe_file(
    path: Path, metadata: Mapping[str, Any], row: Mapping[str, Any]
) -> dict[str, Any]:
    """Describes a LiteRT file.

    Args:
        path: The file.
        metadata: The metadata of its model.
        row: What `ParityGate.measure` says of it.

    Returns:
        `model`, `file`, `sha256`, `license` and `version`; `signature`, `inputs` and `outputs`:
        name, type, shape, layout, colors, the range of values, and how integers are read;
        `tile`: what to cut images into, of which `halo` pixels on each side are to be left out,
        and how far apart; it is null for a network that must see whole images; and
        `keeps_tone`: whether `inference.tone.keep_tone` is to be applied to each result.
    """
    from ai_edge_litert.interpreter import Interpreter

    content = path.read_bytes()
    interpreter: Any = Interpreter(model_content=content)
    (signature,) = interpreter.get_signature_list()
    runner = interpreter.get_signature_runner(signature)
    return {
        "model": metadata["name"],
        "file": path.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        **row,
        "signature": signature,
        "inputs": [_describe(*each) for each in runner.get_input_details().items()],
        "outputs": [_describe(*each) for each in runner.get_output_details().items()],
        "tile": _describe_tile(metadata, row["size"]),
        "keeps_tone": _keeps_tone(metadata),
        "license": metadata["license"],
        "version": __version__,
    }


def stride_of(metadata: Mapping[str, Any]) -> int:
    """Returns what the edges of a model's tiles must be multiples of."""
    return tile_stride(metadata["stride"], keeps_tone=_keeps_tone(metadata))


def _describe(name: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    shape = detail["shape_signature"].tolist()
    scale, zero = detail["quantization"]
    described = {
        "name": name,
        "dtype": np.dtype(detail["dtype"]).name,
        "shape": shape,
        "layout": "NHWC",
        "range": [0, 255] if detail["dtype"] is np.uint8 else [0.0, 1.0],
        "quantization": {"scale": float(scale), "zero_point": int(zero)} if scale else None,
    }
    if name != "noise_level":
        described["colors"] = "RGB" if shape[-1] == 3 else "gray"
    return described


def _describe_tile(metadata: Mapping[str, Any], size: int | None) -> dict[str, Any] | None:
    if metadata["global_context"]:
        return None
    halo = halo_of(metadata)
    step = size - 2 * halo if size else None
    return {"size": size, "stride": stride_of(metadata), "halo": halo, "step": step}


def halo_of(metadata: Mapping[str, Any]) -> int:
    """Returns the pixels at each border of a tile that are cut off; 0 where tiles do not suit."""
    if metadata["global_context"]:
        return 0
    keeps_tone = _keeps_tone(metadata)
    return fixed_halo(metadata["radius"], stride_of(metadata), keeps_tone=keeps_tone)


def _keeps_tone(metadata: Mapping[str, Any]) -> bool:
    return bool(metadata.get("keeps_tone", False))
