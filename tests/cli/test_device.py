"""`--device` and `models devices`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.inference import gpu
from kerasdenoise.inference.engines import LiteRTEngine

pytestmark = pytest.mark.usefixtures("run_here")


class FailingGpu:
    """A GPU that denoises two tiles."""

    name = "Fake GPU"
    is_software = False

    def __init__(self, path: Path, height: int, width: int) -> None:
        self._cpu = LiteRTEngine(path, 1)
        self._left = 2

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        self._left -= 1
        if self._left < 0:
            raise ModelError("model.tflite", "device lost", "")
        return next(iter(self._cpu(inputs).values()))


@pytest.fixture(autouse=True)
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives the machine a GPU that fails soon."""
    monkeypatch.setattr(gpu, "GpuEngine", FailingGpu)


def test_a_gpu_that_fails_in_a_batch_is_said_in_one_line(
    command: Callable, write_photo: Callable, tmp_path: Path
):
    for name in "abcd":
        write_photo(f"{name}.png")
    outcome = command("denoise", *(f"{name}.png" for name in "abcd"), "--device", "gpu", "--json")
    assert outcome.code == 0
    results = [json.loads(line) for line in outcome.out.splitlines()]
    # The first tile is the CPU's; then one is the GPU's, and then it fails.
    assert [each["device"] for each in results] == ["cpu", "gpu", "cpu", "cpu"]
    notes = [each["notes"] for each in results]
    assert [len(each) for each in notes] == [0, 0, 1, 0]
    assert "Fake GPU failed (device lost)" in notes[2][0]
    assert "CPU" in notes[2][0]
    outcome = command("denoise", "c.png", "-o", "expected.png", "--device", "cpu")
    assert outcome.code == 0
    assert (tmp_path / "c_denoised.png").read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_the_note_is_on_standard_error_once(command: Callable, write_photo: Callable):
    for name in "abcd":
        write_photo(f"{name}.png")
    outcome = command("denoise", *(f"{name}.png" for name in "abcd"), "--device", "gpu")
    assert outcome.code == 0
    assert outcome.err.count("device lost") == 1


@pytest.mark.parametrize("more", [["--quality", "fast"], ["--ray"], ["--device", "npu"]])
def test_what_cannot_be_on_a_gpu_is_refused(
    more: list[str], command: Callable, write_photo: Callable
):
    write_photo("a.png")
    outcome = command("denoise", "a.png", "-o", "out", "--device", "gpu", *more)
    assert outcome.code == 2
    assert "--device" in outcome.err


def test_devices_are_listed(command: Callable):
    outcome = command("models", "devices", "--threads", "1")
    assert outcome.code == 0
    cpu, found = outcome.out.splitlines()
    assert cpu.startswith("cpu  1 thread, ")
    assert "Fake GPU, " in found
    assert "not used" not in found


def test_a_gpu_that_computes_other_values_is_named(
    command: Callable, monkeypatch: pytest.MonkeyPatch
):
    run = FailingGpu.__call__
    monkeypatch.setattr(FailingGpu, "__call__", lambda *given: run(*given) + np.float32(0.5))
    found = command("models", "devices").out.splitlines()[1]
    assert "0.5" in found
    assert "not used" in found


def test_no_gpu_is_said_with_its_cause(command: Callable, monkeypatch: pytest.MonkeyPatch):
    def find_none(path: Path, *size: int) -> None:
        raise gpu.NoGpuError(path, "no GPU was found", "")

    monkeypatch.setattr(gpu, "GpuEngine", find_none)
    assert command("models", "devices").out.splitlines()[1] == "gpu  none: no GPU was found"
