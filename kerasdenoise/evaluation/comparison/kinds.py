"""The kinds of file that a saved model has, each as a model of its own."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.zoo import ModelInfo
from kerasdenoise.zoo.info import read_info


@dataclass(frozen=True)
class Kind:
    """Files that together denoise an image.

    Attributes:
        title: The names of the files.
        info: The model as it is run from these files.
        shape: The one height and width that they take, or None if any.
        in_tiles: Whether an image can be denoised with them tile by tile.
    """

    title: str
    info: ModelInfo
    shape: tuple[int, int] | None = None
    in_tiles: bool = True

    @property
    def size(self) -> int:
        """The bytes of the files."""
        return sum(path.stat().st_size for path in self.info.run_paths)


def find_kinds(info: ModelInfo, folder: Path) -> tuple[list[Kind], list[ModelError]]:
    """Lists the kinds of file that a model has.

    Args:
        info: The model.
        folder: An empty folder, where each file that denoises by itself becomes a model.

    Returns:
        What `denoise` runs, unless told otherwise; and after it, by name, each other file that
        denoises an image by itself. What is only a part of the network is left out. And, for
        each file that cannot be run here, why.
    """
    kinds = [Kind(" + ".join(path.name for path in info.run_paths), info)]
    broken: list[ModelError] = []
    for path in sorted(info.folder.rglob("*.tflite")):
        if path in info.run_paths:
            continue
        try:
            engine = LiteRTEngine(path)
        except ModelError as error:
            broken.append(error)
            continue
        if _is_whole(engine, info):
            kinds.append(_kind_of(path, engine, info, folder / str(len(kinds))))
    return kinds, broken


def _is_whole(engine: LiteRTEngine, info: ModelInfo) -> bool:
    """Whether a file takes what the model does, and gives an image."""
    told = {"noisy", "noise_level"} if info.takes_noise_level else {"noisy"}
    if not set(engine.inputs) <= told:
        return False
    arrays = {
        name: np.zeros([info.stride if size < 0 else size for size in shape], np.float32)
        for name, shape in engine.input_shapes.items()
    }
    (result, *others) = engine(arrays).values()
    return not others and result.shape == (*arrays["noisy"].shape[:3], info.channels)


def _kind_of(path: Path, engine: LiteRTEngine, info: ModelInfo, folder: Path) -> Kind:
    height, width = engine.input_shapes["noisy"][1:3]
    is_fixed = height > 0 and width > 0
    folder.mkdir()
    shutil.copyfile(path, folder / "model.tflite")
    (folder / "config.json").write_text("{}", encoding="utf-8")
    metadata = {
        "name": path.stem,
        "architecture": info.architecture,
        "summary": info.summary,
        "channels": info.channels,
        "stride": info.stride,
        "radius": info.radius,
        "noise_level": "noise_level" in engine.inputs,
        "bytes_per_pixel": info.bytes_per_pixel,
    }
    (folder / "metadata.json").write_text(json.dumps(metadata), encoding="utf-8")
    return Kind(
        path.relative_to(info.folder).as_posix(),
        read_info(folder),
        shape=(height, width) if is_fixed else None,
        in_tiles=not info.has_context,
    )
