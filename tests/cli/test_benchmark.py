from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.evaluation import comparison, peers, subjects
from kerasdenoise.export import onnx
from kerasdenoise.inference.fixed_shape import fix_shape

Command = Callable[..., Any]

SMALL = ("--photo", "48x40", "--tile", 31, "--rounds", 2, "--threads", 1)


@pytest.fixture(autouse=True)
def _once_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs what is quick once in a turn: here no figure need be exact."""
    monkeypatch.setattr(comparison, "_LEAST", 0.0)


@pytest.fixture
def model(models: Path, tmp_path: Path) -> str:
    """The tiny model with a file of one size as well."""
    shutil.copytree(models / "tiny", tmp_path / "model")
    whole = tmp_path / "model" / "model.tflite"
    (tmp_path / "model" / "tiny_32.tflite").write_bytes(fix_shape(whole, 32, 32))
    return "./model"


@pytest.fixture
def pictures(write_photo: Callable[..., Path]) -> str:
    return str(write_photo("set/a.png").parent)


def test_files_are_measured_side_by_side(command: Command, model: str, pictures: str):
    outcome = command("benchmark", model, "--images", pictures, "--no-peers", "--json", "-", *SMALL)
    assert outcome.code == 0, outcome.err
    content = json.loads(outcome.out)
    assert "by network" in outcome.err
    assert (content["model"], content["threads"], content["rounds"]) == ("tiny", 1, 2)
    assert (content["pictures"], content["count"]) == ("set", 1)
    first, fixed = content["rows"]
    assert first["title"] == "model.tflite"
    assert (first["tile"]["height"], first["tile"]["width"]) == (32, 32), "a multiple of the stride"
    assert (first["photo"]["height"], first["photo"]["width"]) == (40, 48)
    for part in ("tile", "photo", "network"):
        assert len(first[part]["seconds"]) == 2
        assert min(first[part]["seconds"]) > 0
    if sys.platform != "win32":
        assert min(first["tile_peak"], first["photo_peak"]) > 10**7
    assert fixed["title"] == "tiny_32.tflite"
    assert fixed["photo"] is None
    assert fixed["psnr"] == pytest.approx(first["psnr"], abs=1e-3)
    assert [goal["limit"] for goal in content["goals"]] == [2]


def test_peers_that_are_installed_are_in_the_table(
    command: Command,
    models: Path,
    pictures: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    pytest.importorskip("skimage")
    (fast,) = (peer for peer in peers.PEERS if "total variation" in peer.title)
    slow = replace(fast, title="slow", slow=True)
    missing = replace(fast, title="missing", package="no such package")
    monkeypatch.setattr(peers, "PEERS", (slow, fast, missing))
    monkeypatch.setattr(onnx, "has_onnx", lambda: False)
    options = ("--images", pictures, "--page", "page.md", "--json", "all.json", *SMALL)
    outcome = command("benchmark", "tiny", *options)
    assert outcome.code == 0, outcome.err
    content = json.loads((tmp_path / "all.json").read_text("utf-8"))
    titles = [row["title"] for row in content["rows"]]
    assert titles == ["model.tflite", subjects.FFDNET, "slow", fast.title]
    assert "scikit-image" in content["versions"]
    page = (tmp_path / "page.md").read_text("utf-8")
    assert page.startswith("# Speed and memory\n")
    assert all(title in page for title in titles)
    assert all(title in outcome.out for title in titles)
    model, ffdnet, *others = content["rows"]
    assert ffdnet["psnr"] is ffdnet["photo"] is None
    assert [row["photo"] is None for row in others] == [True, False]
    assert others[0]["psnr"] == others[1]["psnr"] > model["psnr"] > 5
    assert [goal["limit"] for goal in content["goals"]] == [8, 2]


def test_a_gray_model_stands_alone(command: Command, models: Path, pictures: str):
    outcome = command("benchmark", "tiny_gray", "--images", pictures, "--json", "-", *SMALL)
    assert outcome.code == 0, outcome.err
    (row,) = json.loads(outcome.out)["rows"]
    assert row["psnr"] > 5


def test_a_file_that_cannot_be_run_is_left_out(
    command: Command, model: str, pictures: str, tmp_path: Path
):
    (tmp_path / "model" / "broken.tflite").write_bytes(b"no model")
    outcome = command("benchmark", model, "--images", pictures, "--no-peers", *SMALL)
    assert outcome.code == 0
    assert "not measured: " in outcome.only_error
    assert "broken.tflite" in outcome.only_error
    assert "broken" not in outcome.out


def test_the_denoise_path_needs_no_tensorflow(
    run_cli: Callable[..., Any], models: Path, pictures: str
):
    outcome = run_cli(
        "benchmark", "tiny", "--images", pictures, "--no-peers", *SMALL, python=["-X", "importtime"]
    )
    assert outcome.returncode == 0, outcome.stderr[-1000:]
    assert "kerasdenoise.evaluation.comparison" in outcome.stderr
    assert "tensorflow" not in outcome.stderr
    assert "keras.src" not in outcome.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("nosuch",), "model nosuch: unknown"),
        (("tiny", "--photo", "12"), "not a size in pixels"),
        (("tiny", "--photo", "0x9"), "not a size in pixels"),
        (("tiny", "--images", "nosuch"), "no such folder"),
        (("tiny", "--page", "there.md"), "add --overwrite"),
        (("tiny", "--json", "nosuch/a.json"), "no such folder"),
    ],
)
def test_what_cannot_be_done_is_refused_first(
    command: Command, tmp_path: Path, options: tuple[str, ...], message: str
):
    (tmp_path / "there.md").write_text("mine", "utf-8")
    outcome = command("benchmark", *options)
    assert outcome.code == 2
    assert message in outcome.only_error
    assert (tmp_path / "there.md").read_text("utf-8") == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("file", ["model.tflite", "other.tflite"])
def test_a_hostile_file_ends_only_the_process_that_runs_it(
    run_cli: Callable[..., Any],
    hostile: bytes,
    model: str,
    pictures: str,
    tmp_path: Path,
    file: str,
):
    (tmp_path / "model" / file).write_bytes(hostile)
    outcome = run_cli("benchmark", model, "--images", pictures, "--no-peers", *SMALL)
    assert file in outcome.stderr
    # What the file does to its process is up to chance.
    assert re.search("crashed the process|cannot run on a tile", outcome.stderr)
    assert outcome.returncode == (2 if file == "model.tflite" else 0), outcome.stderr
