"""Runs the network of a tile on a GPU, and makes sure that it computes the same as the CPU.

LiteRT's accelerator reaches GPUs by Vulkan, Metal or Direct3D. It runs in a process of its own,
because a driver may crash or never answer.

python -m kerasdenoise.inference.gpu MODEL.tflite HEIGHT WIDTH
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import IsolatedEngine, LiteRTEngine, open_engine
from kerasdenoise.inference.fixed_shape import fix_shape
from kerasdenoise.inference.processes import Child, TileError, serve
from kerasdenoise.zoo import ModelInfo

Device = Literal["auto", "cpu", "gpu"]
"""`auto`: the GPU if there is one that is faster, for all tiles but the first two of each size.
`gpu`: the GPU if it works, for all tiles but the first of each size. `cpu`: the CPU."""

DEVICES: tuple[Device, ...] = get_args(Device)

LARGEST = 1e-3
"""How much a GPU's result may differ from the CPU's, on the [0, 1] scale."""

# How long a GPU may take for a tile, which takes a CPU seconds.
_LIMIT = 120.0

# How many tiles of a size are denoised by the CPU, the last of them by both. "auto" leaves single
# tiles alone, because preparing a GPU takes longer than a tile.
_CPU_TILES = {"auto": 2, "gpu": 1}

# Compiled networks to keep: images lie and stand.
_KEPT = 2

_REMEDY = "use --device cpu"


class NoGpuError(ModelError):
    """There is no GPU that LiteRT can use."""


class GpuEngine:
    """A model's file on the GPU, in a child process.

    Args:
        path: A file of images of any size.
        height: Rows of the first tile.
        width: Columns of the first tile.

    Attributes:
        name: What the driver calls the GPU.
        is_software: Whether it is a driver that computes on the CPU.

    Raises:
        NoGpuError: There is none.
        TileError: It cannot run on a tile of this size.
        ModelError: It fails, or the file takes more than images.
    """

    def __init__(self, path: Path, height: int, width: int) -> None:
        self._child = Child(path, __name__, str(height), str(width), limit=_LIMIT)
        greeting = self._child.greet()
        if greeting["gpu"] is None:
            raise NoGpuError(path, greeting["cause_of_none"], _REMEDY)
        self.name: str = greeting["gpu"]
        self.is_software: bool = greeting["is_software"]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Runs the network once.

        Args:
            inputs: Float32 arrays (1, height, width, channels) by the names of inputs.

        Returns:
            The result, float32 (1, height, width, channels).

        Raises:
            TileError: It cannot run on a tile of this size.
            ModelError: It fails.
        """
        return next(iter(self._child.ask(inputs).values()))


class CheckedEngine:
    """The network of a tile on a GPU as long as that works, and on the CPU otherwise.

    For each size of tiles, the GPU's result for one tile is compared with the CPU's. Of the others
    it must be finite, and not 0 everywhere.

    Args:
        cpu: The network on the CPU.
        device: See `Device`.

    Attributes:
        path: The model's file.
        threads: Those of the CPU.
        inputs: The names of the network's inputs.
        reason: Why the GPU is not used, for people; None if it is, or may be yet, and where
            "auto" leaves the work to the CPU because there is no GPU or no faster one.
        accelerated: How many tiles the GPU has denoised.
    """

    def __init__(self, cpu: LiteRTEngine | IsolatedEngine, device: Literal["auto", "gpu"]) -> None:
        self.path = cpu.path
        self.threads = cpu.threads
        self.inputs = cpu.inputs
        self.reason: str | None = None
        self.accelerated = 0
        self._cpu = cpu
        self._device: Literal["auto", "gpu"] = device
        self._gpu: GpuEngine | None = None
        self._is_over = device == "auto" and not _may_have_gpu()
        self._on_cpu: Counter[tuple[int, ...]] = Counter()
        self._checked: set[tuple[int, ...]] = set()

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the network once.

        Args:
            inputs: As for `LiteRTEngine`.

        Returns:
            As `LiteRTEngine`.

        Raises:
            TileError: It cannot run on these shapes, or memory fails.
        """
        if self._is_over:
            return self._cpu(inputs)
        given = {name: inputs[name] for name in self.inputs}
        shape = given["noisy"].shape
        if shape in self._checked:
            try:
                result = self._accelerate(given)
            except ModelError as error:
                self._give_up(f"failed ({error.cause})")
                return self._cpu(inputs)
            self.accelerated += 1
            return {"output": result}
        start = time.perf_counter()
        results = self._cpu(inputs)
        self._on_cpu[shape] += 1
        if self._on_cpu[shape] == _CPU_TILES[self._device]:
            (expected,) = results.values()
            self._check(given, expected, time.perf_counter() - start)
        return results

    def release(self) -> None:
        """Frees the CPU's memory of the last call."""
        self._cpu.release()

    def _check(
        self, inputs: Mapping[str, np.ndarray], expected: np.ndarray, cpu_seconds: float
    ) -> None:
        """Decides whether the GPU denoises further tiles of this size."""
        shape = inputs["noisy"].shape
        is_auto = self._device == "auto"
        try:
            if self._gpu is None:
                self._gpu = GpuEngine(self.path, *shape[1:3])
            if is_auto and self._gpu.is_software:
                return self._give_up(None)
            found = self._accelerate(inputs)
            start = time.perf_counter()
            if is_auto:  # the first time, it was prepared
                found = self._accelerate(inputs)
            gpu_seconds = time.perf_counter() - start
        except NoGpuError as error:
            self._give_up(None)
            self.reason = None if is_auto else error.cause
            return None
        except TileError as error:  # those of another photo may be smaller
            self.reason = (
                None if is_auto else f"the GPU {error.cause}; try another --tile or --model"
            )
            return None
        except ModelError as error:
            return self._give_up(f"failed ({error.cause})")
        difference = float(np.abs(found - expected).max())
        if difference > LARGEST:
            return self._give_up(f"computes other values, by up to {difference:.2g}")
        if is_auto and gpu_seconds > cpu_seconds:
            return self._give_up(None)
        self._checked.add(shape)
        return None

    def _accelerate(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        assert self._gpu is not None
        result = self._gpu(inputs)
        if result.shape != inputs["noisy"].shape:
            raise ModelError(self.path, f"it returned {result.shape}", _REMEDY)
        if not np.isfinite(result).all():
            raise ModelError(self.path, "its result is not finite", _REMEDY)
        if not result.any() and inputs["noisy"].any():
            raise ModelError(self.path, "its result is 0 everywhere", _REMEDY)
        return result

    def _give_up(self, reason: str | None) -> None:
        if reason is not None:
            self.reason = f"{self._gpu.name if self._gpu else 'the GPU'} {reason}"
        self._is_over = True
        self._gpu = None  # which ends its process


@dataclass(frozen=True)
class Trial:
    """How the CPU and a GPU denoise a tile.

    Attributes:
        threads: Those of the CPU.
        cpu_seconds: The CPU's time.
        gpu: What its driver calls the GPU; None if there is none that works.
        is_software: Whether that is a driver that computes on the CPU.
        gpu_seconds: The GPU's time, once it is prepared; 0 without one.
        difference: The largest difference of their results, on the [0, 1] scale; 0 without one.
        cause: Why there is no GPU, or none that works.
    """

    threads: int
    cpu_seconds: float
    gpu: str | None = None
    is_software: bool = False
    gpu_seconds: float = 0.0
    difference: float = 0.0
    cause: str = ""


def try_devices(info: ModelInfo, edge: int, threads: int | None = None) -> Trial:
    """Denoises a tile of random numbers on the CPU and on the GPU.

    Args:
        info: A model that needs no statistics of the whole image.
        edge: The tile's height and width, a multiple of the model's stride.
        threads: Those of the CPU; all usable cores by default.

    Raises:
        ModelError: The CPU cannot run the model.
    """
    cpu = open_engine(info, info.tile_path, threads)
    shape = (1, edge, edge)
    inputs = {"noisy": np.random.default_rng(0).random((*shape, info.channels), np.float32)}
    if info.follows_level:
        inputs["noise_level"] = np.full((*shape, 1), 0.1, np.float32)
    expected, cpu_seconds = _time(lambda: next(iter(cpu(inputs).values())))
    try:
        gpu = GpuEngine(info.tile_path, edge, edge)
        found, gpu_seconds = _time(lambda: gpu(inputs))
    except ModelError as error:
        return Trial(cpu.threads, cpu_seconds, cause=error.cause)
    difference = float(np.abs(found - expected).max())
    facts = gpu.name, gpu.is_software, gpu_seconds, difference
    cause = "" if difference <= LARGEST else "it computes other values"
    return Trial(cpu.threads, cpu_seconds, *facts, cause)


def _time(run: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """The result of the second run, and its seconds: the first one prepares."""
    run()
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def _may_have_gpu() -> bool:
    """Whether it is worth starting a process that looks for a GPU."""
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or spec.origin is None or not _find_accelerators(Path(spec.origin).parent):
        return False
    if not sys.platform.startswith("linux"):
        return True
    try:
        ctypes.CDLL("libvulkan.so.1")
    except OSError:
        return False
    return True


def _find_accelerators(folder: Path) -> list[Path]:
    """The GPU accelerators of a LiteRT: of WebGPU on Linux and Windows, of Metal on macOS."""
    return [each for each in folder.glob("libLiteRt*Accelerator.*") if each.is_file()]


class _Compiled:
    """A file compiled for tiles of one size."""

    def __init__(self, path: Path, height: int, width: int) -> None:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
        from ai_edge_litert.options import GpuOptions, Options

        # Kept: LiteRT may read it later.
        self._content = fix_shape(path, height, width)
        # Without it, GPUs compute with 16 bits.
        gpu = GpuOptions(enforce_f32=True)
        options = Options(hardware_accelerators=HardwareAccelerator.GPU, gpu_options=gpu)
        self._model = CompiledModel.from_buffer(self._content, options=options)
        (key,) = self._model.get_signature_list()
        self._names = self._model.get_signature_by_index(0)["inputs"]
        ((self._name, detail),) = self._model.get_output_tensor_details(key).items()
        self._shape = tuple(detail["shape"])
        self._inputs = self._model.create_input_buffers(0)
        self._outputs = self._model.create_output_buffers(0)

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        for name, buffer in zip(self._names, self._inputs, strict=True):
            buffer.write(np.ascontiguousarray(inputs[name]))
        # What a lost GPU leaves is not taken for a result.
        self._outputs[0].write(np.full(self._shape, np.nan, np.float32))
        self._model.run_by_index(0, self._inputs, self._outputs)
        values = self._outputs[0].read(int(np.prod(self._shape)), np.float32)
        return {self._name: np.asarray(values, np.float32).reshape(self._shape)}


class _Served:
    """The networks that the child process has compiled."""

    def __init__(self, path: Path, log: BinaryIO) -> None:
        self._path = path
        self._log = log
        self._compiled: dict[tuple[int, int], _Compiled] = {}

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        _, height, width, _ = inputs["noisy"].shape
        network = self.compile(height, width)
        try:
            return network(inputs)
        except (RuntimeError, ValueError, MemoryError) as error:
            raise ModelError(self._path, _last_line(error), _REMEDY) from error

    def compile(self, height: int, width: int) -> _Compiled:
        """Returns the network for a size of tiles, which is compiled if it is new."""
        network = self._compiled.pop((height, width), None)
        if network is None:
            while len(self._compiled) >= _KEPT:
                del self._compiled[next(iter(self._compiled))]
            try:
                network = _Compiled(self._path, height, width)
            except (RuntimeError, ValueError, MemoryError) as error:
                cause = f"cannot run on a tile of {height}x{width} ({_last_line(error)})"
                raise TileError(self._path, cause, _REMEDY) from error
        self._compiled[height, width] = network  # the last one, as the newest
        return network

    def release(self) -> None:
        """Frees the networks."""
        self._compiled = {}

    def read_log(self) -> str:
        """What LiteRT has written."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")


def _last_line(error: Exception) -> str:
    lines = [line.strip(" └") for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _open(path: Path, height: int, width: int) -> tuple[_Served, dict[str, Any]]:
    """Compiles a file for tiles of one size, and says on which GPU."""
    import ai_edge_litert

    log = tempfile.TemporaryFile()  # noqa: SIM115 (open as long as the process)
    os.dup2(log.fileno(), 2)
    served = _Served(path, log)
    none: dict[str, Any] = {"gpu": None, "is_software": False}
    if not _find_accelerators(Path(str(ai_edge_litert.__file__)).parent):
        return served, {**none, "cause_of_none": "this ai-edge-litert has no accelerator for GPUs"}
    try:
        served.compile(height, width)
    except TileError:
        if re.search("No adapters found|Couldn't load Vulkan", served.read_log()):
            return served, {**none, "cause_of_none": "no GPU with a driver for Vulkan was found"}
        raise
    return served, describe_adapter(served.read_log())


def describe_adapter(log: str) -> dict[str, Any]:
    """Finds the GPU in what LiteRT writes.

    Returns:
        `gpu`, its name, and `is_software`, whether it is a driver that computes on the CPU.
    """
    found = re.search(r"Selected adapter: (.*?)(?:, arch=.*)?$", log, re.MULTILINE)
    name = found.group(1) if found else "the GPU"
    return {"gpu": name, "is_software": bool(found and "adapterType=CPU" in found.group())}


if __name__ == "__main__":
    serve(functools.partial(_open, Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
