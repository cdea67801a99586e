"""Models that no index knows: they run in a process that may die."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.engines import LiteRTEngine, TileError
from kerasdenoise.inference.isolated import IsolatedEngine

NOISY = np.random.default_rng(0).random((60, 70, 3), np.float32)


def test_it_computes_what_the_engine_here_does(models: Path) -> None:
    path = models / "tiny" / "model.tflite"
    here, there = LiteRTEngine(path, 1), IsolatedEngine(path, 1)
    assert there.inputs == here.inputs
    assert there.input_shapes == here.input_shapes
    for size in (32, 48, 32):
        inputs = {"noisy": NOISY[np.newaxis, :size, :size]}
        (expected,), (found,) = here(inputs).values(), there(inputs).values()
        np.testing.assert_array_equal(found, expected)
        there.release()


def test_a_tile_that_cannot_be_run_is_an_error_and_the_process_lives(models: Path) -> None:
    engine = IsolatedEngine(models / "tiny" / "model.tflite", 1)
    for _ in range(2):
        with pytest.raises(TileError, match="tile"):
            engine({"noisy": np.zeros((1, 8, 8, 7), np.float32)})
    engine.release()
    assert engine({"noisy": np.zeros((1, 8, 8, 3), np.float32)})


def test_what_is_no_model_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"not one")
    with pytest.raises(ModelError, match="LiteRT"):
        IsolatedEngine(tmp_path / "model.tflite", 1)


def test_a_model_by_its_path_gives_the_same_pixels(models: Path) -> None:
    np.testing.assert_array_equal(Denoiser(models / "tiny")(NOISY), Denoiser("tiny")(NOISY))


def _hostile(model: bytes) -> bytes:
    """The model with its first operator's first input being a tensor far beyond the last."""
    from ai_edge_litert import schema_py_generated as schema

    root = schema.ModelT.InitFromPackedBuf(model, 0)
    operator = root.subgraphs[0].operators[0]
    operator.inputs = [2**20, *operator.inputs[1:]]
    import flatbuffers

    builder = flatbuffers.Builder(len(model))
    builder.Finish(root.Pack(builder), b"TFL3")
    return bytes(builder.Output())


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_one_that_kills_its_process_is_an_error(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "tiny", tmp_path / "model")
    engine = IsolatedEngine(folder / "model.tflite", 1)
    engine._process.send_signal(11)  # as a wild pointer does
    with pytest.raises(ModelError, match="SIGSEGV"):
        engine({"noisy": np.zeros((1, 8, 8, 3), np.float32)})


def test_a_hostile_file_never_ends_the_command(
    models: Path, tmp_path: Path, run_cli: Callable[..., CompletedProcess], write_photo: Callable
) -> None:
    write_photo("a.png")
    folder = shutil.copytree(models / "tiny", tmp_path / "model")
    content = (folder / "model.tflite").read_bytes()
    for number, hostile in enumerate((_hostile(content), content[: len(content) // 2])):
        (folder / "model.tflite").write_bytes(hostile)
        outcome = run_cli("denoise", "a.png", "--model", "./model", "-o", f"{number}.png")
        assert outcome.returncode in (1, 2), outcome.stderr
        assert "model.tflite" in outcome.stderr
