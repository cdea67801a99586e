from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from kerasdenoise import zoo
from kerasdenoise.cli import group
from kerasdenoise.runtime import prepare_keras

Cli = Callable[..., subprocess.CompletedProcess]


@pytest.fixture
def copied(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models that a test may damage; the only one that is searched."""
    folder = shutil.copytree(models, tmp_path / "copied")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(folder))
    monkeypatch.setattr(zoo, "_PACKAGE", tmp_path / "nowhere" / "package")
    return folder


@pytest.mark.usefixtures("copied")
@pytest.mark.parametrize("arguments", [["models"], ["models", "list"]])
def test_list_marks_the_default(arguments: list[str]):
    result = CliRunner().invoke(group, arguments)
    assert result.stdout.splitlines() == [
        "* tiny       Random weights, 3 channels",
        "  tiny_gray  Random weights, 1 channels",
    ]


def test_list_as_json_has_what_show_prints(copied: Path):
    result = CliRunner().invoke(group, ["models", "list", "--json"])
    tiny, gray = json.loads(result.stdout)
    assert (tiny.pop("default"), gray.pop("default")) == (True, False)
    shown = CliRunner().invoke(group, ["models", "show", "tiny"])
    assert tiny == json.loads(shown.stdout)
    assert (gray["name"], gray["folder"]) == ("tiny_gray", str(copied / "tiny_gray"))


@pytest.fixture
def two_architectures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the time for two architectures only."""
    prepare_keras()
    monkeypatch.setattr(
        "kerasdenoise.models._facts.list_architectures", lambda: ["dncnn", "perona_malik"]
    )


@pytest.mark.usefixtures("two_architectures")
def test_architectures_are_a_table_of_their_presets():
    lines = CliRunner().invoke(group, ["models", "list", "--architectures"]).stdout.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split("  ")[0] == "architecture"
    rows = {tuple(line.split()[:2]): line.split()[2:] for line in lines[1:]}
    # 2 * 3*64*9 + 15 * (64*64*9 + 4*64), where batch normalization trains 2 of its 4 numbers.
    assert rows["dncnn", "paper"] == ["560,256", "558,336", "556,416", "17", "1", "-", "-"]
    assert rows["perona_malik", "classical"][:2] == ["1", "0"]
    assert rows["perona_malik", "noise_aware"][-2:] == ["yes", "told"]


@pytest.mark.usefixtures("two_architectures")
def test_architectures_as_json():
    result = CliRunner().invoke(group, ["models", "list", "--architectures", "--json"])
    rows = json.loads(result.stdout)
    assert rows[0] == {
        "architecture": "dncnn",
        "preset": "tiny",
        "parameters": 1648,
        "trainable": 1616,
        "mac_per_pixel": 1584,
        "radius": 4,
        "stride": 1,
        "global_context": False,
        "noise_level": False,
        "estimates_level": False,
    }
    context = {row["preset"]: row["global_context"] for row in rows}
    assert (context["image"], context["global"]) == (True, False)


@pytest.mark.usefixtures("copied")
def test_show_prints_the_metadata_as_json(copied: Path):
    result = CliRunner().invoke(group, ["models", "show", "tiny_gray"])
    shown = json.loads(result.stdout)
    assert (shown["name"], shown["radius"]) == ("tiny_gray", 4)
    assert shown["folder"] == str(copied / "tiny_gray")


@pytest.mark.usefixtures("copied")
def test_verify_says_what_is_intact():
    result = CliRunner().invoke(group, ["models", "verify"])
    assert (result.exit_code, result.stdout) == (0, "tiny: intact\ntiny_gray: intact\n")


@pytest.mark.parametrize("broken", ["model.tflite", "metadata.json"])
def test_verify_names_what_is_damaged_and_checks_the_rest(copied: Path, broken: str):
    (copied / "tiny" / broken).write_text("damaged")
    result = CliRunner().invoke(group, ["models", "verify"])
    assert (result.exit_code, result.stdout) == (1, "tiny_gray: intact\n")
    assert f"{broken}: " in result.stderr
    assert result.stderr.endswith("kerasdenoise: damaged: tiny\n")


def test_a_damaged_model_is_not_run(
    run_cli: Cli, copied: Path, write_photo: Callable[..., Path], cli_environment: dict[str, str]
):
    # The environment is one dictionary, shared with `run_cli`.
    cli_environment["KERASDENOISE_MODELS"] = str(copied)
    with (copied / "tiny" / "model.tflite").open("ab") as file:
        file.write(b"!")
    write_photo("a.png")
    result = run_cli("denoise", "a.png")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert re.search(r"model\.tflite: .*recorded.*index\.json", result.stderr)
    assert run_cli("models", "verify", "tiny").returncode == 1
    assert run_cli("models", "verify", "tiny_gray").returncode == 0


@pytest.mark.parametrize("command", ["show", "verify"])
def test_an_unknown_model_is_a_wrong_request(run_cli: Cli, command: str):
    result = run_cli("models", command, "tinny")
    assert result.returncode == 2
    assert re.search(r"model tinny: unknown.*\btiny\b", result.stderr)
