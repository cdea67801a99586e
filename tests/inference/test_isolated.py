"""Models that no index knows: they run in a process that may die."""

from __future__ import annotations

import dataclasses
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.inference.engines import IsolatedEngine, LiteRTEngine, open_engine
from kerasdenoise.inference.processes import TileError
from kerasdenoise.zoo import find_model

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


def test_a_model_of_no_index_gives_the_same_pixels(models: Path, tmp_path: Path) -> None:
    unknown = Denoiser(shutil.copytree(models / "tiny", tmp_path / "unknown"))
    assert isinstance(unknown._network._tile, IsolatedEngine)
    np.testing.assert_array_equal(unknown(NOISY), Denoiser("tiny")(NOISY))


def test_an_indexed_model_by_its_path_runs_here(models: Path) -> None:
    assert isinstance(Denoiser(models / "tiny")._network._tile, LiteRTEngine)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_one_that_kills_its_process_is_an_error(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "tiny", tmp_path / "model")
    engine = IsolatedEngine(folder / "model.tflite", 1)
    engine._child.process.send_signal(11)  # as a wild pointer does
    with pytest.raises(ModelError, match="SIGSEGV"):
        engine({"noisy": np.zeros((1, 8, 8, 3), np.float32)})


def test_a_hostile_file_never_ends_the_command(
    models: Path,
    hostile: bytes,
    tmp_path: Path,
    run_cli: Callable[..., CompletedProcess],
    write_photo: Callable,
) -> None:
    write_photo("a.png")
    folder = shutil.copytree(models / "tiny", tmp_path / "model")
    for number, content in enumerate((hostile, hostile[: len(hostile) // 2])):
        (folder / "model.tflite").write_bytes(content)
        outcome = run_cli("denoise", "a.png", "--model", "./model", "-o", f"{number}.png")
        assert outcome.returncode in (1, 2), outcome.stderr
        assert "model.tflite" in outcome.stderr
        # What the whole file does to its process is up to chance; a cut one is not read.
        assert bool(re.search("crashed the process|cannot run on a", outcome.stderr)) == (
            number == 0
        )


def test_only_files_with_a_record_run_in_this_process(models: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(models / "tiny", tmp_path / "tiny")
    shutil.copy(folder / "model.tflite", folder / "unknown.tflite")
    known = dataclasses.replace(find_model("tiny"), folder=folder)
    assert isinstance(open_engine(known, folder / "model.tflite", 1), LiteRTEngine)
    assert isinstance(open_engine(known, folder / "unknown.tflite", 1), IsolatedEngine)
    assert isinstance(open_engine(find_model(folder), folder / "model.tflite", 1), IsolatedEngine)
