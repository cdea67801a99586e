"""A GPU denoises tiles only as long as it computes what the CPU does."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.export.gpu import find_driver
from kerasdenoise.inference import gpu
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.gpu import (
    CheckedEngine,
    Device,
    GpuEngine,
    NoGpuError,
    describe_adapter,
    try_devices,
)
from kerasdenoise.inference.processes import Child, TileError
from kerasdenoise.zoo import find_model

pytestmark = pytest.mark.usefixtures("models")

NOISY = np.random.default_rng(0).random((64, 96, 3), np.float32)
DIFFERENCE = np.float32(1e-4)  # as much as GPUs differ

Answer = Callable[[np.ndarray, int], np.ndarray]


def _differ(result: np.ndarray, call: int) -> np.ndarray:
    return result + DIFFERENCE


def _fail_third(result: np.ndarray, call: int) -> np.ndarray:
    if call == 3:
        raise ModelError("model.tflite", "device lost", "")
    return result


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[int, int]]]:
    """Puts a GPU into this machine, whose results a function may change.

    It returns a list of the first tiles' sizes, of each time that the GPU is opened. By the clock
    of the test the CPU takes a second for a tile.
    """

    def install(
        answer: Answer = _differ, *, seconds: float = 0.5, is_software: bool = False
    ) -> list[tuple[int, int]]:
        opened: list[tuple[int, int]] = []
        now = [0.0]

        class FakeGpu:
            name = "Fake GPU"

            def __init__(self, path: Path, height: int, width: int) -> None:
                opened.append((height, width))
                self.is_software = is_software
                self._cpu = LiteRTEngine(path, 1)
                self._calls = 0

            def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
                self._calls += 1
                now[0] += seconds - 1
                return answer(next(iter(self._cpu(inputs).values())), self._calls)

        def look() -> float:
            now[0] += 1
            return now[0]

        monkeypatch.setattr(gpu, "GpuEngine", FakeGpu)
        monkeypatch.setattr(gpu, "_may_have_gpu", lambda: True)
        monkeypatch.setattr(gpu, "time", SimpleNamespace(perf_counter=look))
        return opened

    return install


def _open(device: Device) -> Denoiser:
    return Denoiser("tiny", threads=1, tile=40, device=device)


@pytest.fixture
def expected() -> np.ndarray:
    """What the CPU makes of `NOISY`."""
    return _open("cpu")(NOISY)


@pytest.mark.parametrize(("device", "on_cpu"), [("gpu", 1), ("auto", 2)])
def test_the_first_tiles_are_the_cpus_and_the_others_the_gpus(
    device: Device, on_cpu: int, install: Callable, expected: np.ndarray
):
    opened = install()
    denoiser = _open(device)
    found = denoiser(NOISY)
    grid = denoiser._tiling.grid(*NOISY.shape[:2])
    assert len(grid.tiles) == 6
    for number, tile in enumerate(grid.tiles):
        difference = found[tile.place] - expected[tile.place]
        np.testing.assert_allclose(difference, 0 if number < on_cpu else DIFFERENCE, atol=1e-6)
    assert opened == [grid.tile_size]
    assert (denoiser.device, denoiser.fallback) == ("gpu", None)
    denoiser(NOISY[:8, :8])
    assert denoiser.device == "cpu"  # a single tile of another size


def test_auto_leaves_single_tiles_alone(install: Callable):
    opened = install()
    denoiser = Denoiser("tiny", device="auto")
    denoiser(NOISY)
    assert not opened
    denoiser(NOISY)  # in a batch the GPU is worth its start
    assert len(opened) == 1


@pytest.mark.parametrize("kind", [{"seconds": 1.5}, {"is_software": True}])
def test_auto_uses_no_gpu_that_is_not_faster(
    kind: dict[str, float], install: Callable, expected: np.ndarray
):
    install(**kind)
    denoiser = _open("auto")
    np.testing.assert_array_equal(denoiser(NOISY), expected)
    assert denoiser.device == "cpu" or "seconds" in kind  # which was tried
    assert denoiser.fallback is None


def test_a_slow_gpu_is_used_if_asked_for(install: Callable, expected: np.ndarray):
    install(seconds=9.0, is_software=True)
    assert not np.array_equal(_open("gpu")(NOISY), expected)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (lambda result, _: result + np.float32(2e-3), r"other values, by up to 0\.002"),
        (lambda result, _: np.full_like(result, np.nan), "not finite"),
        (lambda result, _: np.zeros_like(result), "0 everywhere"),
        (lambda result, _: result[:, 1:], "returned"),
        (lambda result, call: result * (np.nan if call > 2 else 1), "not finite"),
        (lambda result, call: result * (call < 3), "0 everywhere"),
        (_fail_third, "device lost"),
    ],
)
@pytest.mark.parametrize("device", ["gpu", "auto"])
def test_a_gpu_that_fails_costs_no_photo(
    answer: Answer, cause: str, device: Device, install: Callable, expected: np.ndarray
):
    opened = install(answer)
    denoiser = _open(device)
    np.testing.assert_array_equal(denoiser(NOISY), expected)
    assert denoiser.fallback is not None
    assert "Fake GPU" in denoiser.fallback
    assert re.search(cause, denoiser.fallback)
    np.testing.assert_array_equal(denoiser(NOISY), expected)
    assert denoiser.fallback is None  # it is said once
    assert denoiser.device == "cpu"
    assert len(opened) == 1


def test_no_gpu_is_said_to_whom_asked_for_one(
    monkeypatch: pytest.MonkeyPatch, expected: np.ndarray
):
    def find_none(path: Path, height: int, width: int) -> None:
        raise NoGpuError(path, "no GPU was found", "")

    monkeypatch.setattr(gpu, "GpuEngine", find_none)
    monkeypatch.setattr(gpu, "_may_have_gpu", lambda: True)
    cases: dict[Device, str | None] = {"gpu": "no GPU was found", "auto": None}
    for device, fallback in cases.items():
        denoiser = _open(device)
        np.testing.assert_array_equal(denoiser(NOISY), expected)
        assert denoiser.fallback == fallback


def test_tiles_that_do_not_fit_stay_with_the_cpu(
    monkeypatch: pytest.MonkeyPatch, install: Callable, expected: np.ndarray
):
    install()
    fake = gpu.GpuEngine

    def open_small(path: Path, height: int, width: int) -> GpuEngine:
        if height > 32:
            raise TileError(path, f"cannot run on a tile of {height}x{width}", "")
        return fake(path, height, width)

    monkeypatch.setattr(gpu, "GpuEngine", open_small)
    denoiser = _open("gpu")
    np.testing.assert_array_equal(denoiser(NOISY), expected)
    assert denoiser.fallback is not None
    assert "--tile" in denoiser.fallback
    denoiser(NOISY[:20, :96])
    assert denoiser.device == "gpu"


def test_an_unknown_device_and_integers_on_the_gpu_are_refused(guided_folder: Path):
    with pytest.raises(UsageError, match=r"device 'npu'.*auto, cpu, gpu"):
        Denoiser("tiny", device="npu")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"device gpu.*fast"):
        Denoiser(guided_folder, device="gpu", quality="fast")


def test_networks_of_the_whole_image_and_integers_stay_with_the_cpu(
    guided_folder: Path, global_folder: Path, install: Callable
):
    opened = install()
    fast = Denoiser(guided_folder, quality="fast", device="auto")
    for denoiser in (fast, Denoiser(global_folder, device="gpu")):
        for _ in range(3):
            denoiser(NOISY)
    assert not opened


def test_the_gpu_is_found_in_what_litert_writes():
    line = (
        "I0000 00:00:1.5 9 environment.cc:532] Selected adapter: {}, arch=a, adapterType={}\nrest"
    )
    assert describe_adapter(line.format("SwiftShader Device (Subzero)", "CPU / Software")) == {
        "gpu": "SwiftShader Device (Subzero)",
        "is_software": True,
    }
    found = describe_adapter(line.format("NVIDIA GeForce", "Discrete GPU"))
    assert found == {"gpu": "NVIDIA GeForce", "is_software": False}
    assert describe_adapter("Metal says nothing") == {"gpu": "the GPU", "is_software": False}


def test_a_process_that_never_answers_is_ended(models: Path):
    child = Child(models / "tiny" / "model.tflite", "kerasdenoise.inference.engines", "1", limit=0)
    with pytest.raises(ModelError, match="did not answer"):
        child.greet()
    assert child.process.poll() is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere drivers have no path")
def test_without_a_driver_there_is_no_gpu(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("VK_ICD_FILENAMES", "/nonexistent.json")
    with pytest.raises(NoGpuError, match="no GPU with a driver"):
        GpuEngine(models / "tiny" / "model.tflite", 16, 16)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that stands for a GPU."""
    try:
        found = find_driver(os.environ)
    except UsageError:
        pytest.skip("SwiftShader is not there; Debian's package chromium has it")
    for name in ("VK_ICD_FILENAMES", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, found.get(name, ""))


@pytest.mark.usefixtures("driver")
def test_a_driver_computes_the_same_until_it_dies(guided_folder: Path):
    engine = CheckedEngine(LiteRTEngine(guided_folder / "tile.tflite", 1), "gpu")
    cpu = LiteRTEngine(guided_folder / "tile.tflite", 1)
    for width in (32, 48, 32, 48, 16, 32):
        noisy = NOISY[np.newaxis, :16, :width]
        inputs = {"noise_level": noisy[..., :1] / 9, "noisy": noisy}
        (expected,), (found,) = cpu(inputs).values(), engine(inputs).values()
        np.testing.assert_allclose(found, expected, atol=1e-5)
    assert engine.reason is None
    assert engine.accelerated == 3
    assert engine._gpu is not None
    engine._gpu._child.process.kill()
    (found,) = engine(inputs).values()
    np.testing.assert_array_equal(found, expected)
    assert "crashed" in str(engine.reason)


@pytest.mark.usefixtures("driver")
def test_both_devices_are_tried(guided_folder: Path):
    trial = try_devices(find_model(guided_folder), 32, 1)
    assert trial.gpu
    assert trial.difference < 1e-5
    assert not trial.cause
    assert min(trial.cpu_seconds, trial.gpu_seconds) > 0
