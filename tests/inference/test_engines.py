from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.runtime import usable_cores

Run = Callable[[np.ndarray], np.ndarray]


@pytest.fixture
def engine(models_folder: Path) -> LiteRTEngine:
    return LiteRTEngine(models_folder / "tiny" / "model.tflite", threads=1)


@pytest.fixture
def tiny(engine: LiteRTEngine) -> Run:
    def run(noisy: np.ndarray) -> np.ndarray:
        (denoised,) = engine({"noisy": noisy}).values()
        return denoised

    return run


def test_runs_any_shape_and_returns_to_the_first(tiny: Run):
    small = np.random.default_rng(0).random((1, 8, 10, 3), np.float32)
    large = np.zeros((1, 32, 16, 3), np.float32)
    first = tiny(small)
    assert first.dtype == np.float32
    assert tiny(large).shape == large.shape
    np.testing.assert_array_equal(tiny(small), first)


def test_results_are_copies(tiny: Run):
    batch = np.zeros((1, 8, 8, 3), np.float32)
    first = tiny(batch)
    before = first.copy()
    tiny(batch + 1)
    np.testing.assert_array_equal(first, before)


def test_says_nothing_on_standard_error(models_folder: Path, capfd: pytest.CaptureFixture[str]):
    engine = LiteRTEngine(models_folder / "tiny" / "model.tflite")
    engine({"noisy": np.zeros((1, 8, 8, 3), np.float32)})
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(5000)])
def test_a_file_that_is_no_model_is_refused(content: bytes, tmp_path: Path):
    path = tmp_path / "model.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.tflite: .*LiteRT"):
        LiteRTEngine(path)


def test_a_missing_file_is_refused(tmp_path: Path):
    with pytest.raises(ModelError, match="cannot be read"):
        LiteRTEngine(tmp_path / "model.tflite")


def test_a_model_that_is_no_denoiser_is_refused(tmp_path: Path):
    import keras

    from kerasdenoise.runtime import quiet_stderr

    vector = keras.Input((4,))
    model = keras.Model(vector, keras.layers.Dense(4)(vector))
    with quiet_stderr():
        model.export(tmp_path / "dense.tflite", format="litert", verbose=False)
    with pytest.raises(ModelError, match="part of a denoiser"):
        LiteRTEngine(tmp_path / "dense.tflite")


def test_a_tile_that_the_model_cannot_take_is_an_error_and_not_the_end(
    tiny: Run,
):
    with pytest.raises(ModelError, match="tile of 8x8x5"):
        tiny(np.zeros((1, 8, 8, 5), np.float32))
    assert tiny(np.zeros((1, 8, 8, 3), np.float32)).shape == (1, 8, 8, 3)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only where affinity exists")
def test_threads_are_the_cores_that_this_process_may_use(models_folder: Path):
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
        assert LiteRTEngine(models_folder / "tiny" / "model.tflite").threads == 1
    finally:
        os.sched_setaffinity(0, allowed)
