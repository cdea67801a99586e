"""What is imported when: import direction, start-up time, and a denoise path without Keras."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = {
    "ai_edge_litert",
    "imagecodecs",
    "jax",
    "keras",
    "keras_tuner",
    "matplotlib",
    "tensorflow",
    "tensorflow_datasets",
    "tifffile",
    "torch",
}

Cli = Callable[..., subprocess.CompletedProcess]


def imported(result: subprocess.CompletedProcess) -> set[str]:
    """The top-level packages that `-X importtime` saw."""
    assert result.returncode == 0, result.stderr
    modules = re.findall(r"^import time:.*\|\s+(\S+)$", result.stderr, re.MULTILINE)
    assert "click" in modules, "the list was not understood"
    return {module.partition(".")[0] for module in modules}


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["denoise", "--help"]])
def test_help_imports_nothing_that_takes_time(run_cli: Cli, arguments: list[str]):
    # Rather than a wall clock, which a busy machine would break.
    seen = imported(run_cli(*arguments, python=["-X", "importtime"]))
    assert not seen & (HEAVY | {"numpy", "PIL", "rich"})


def test_the_denoise_path_imports_neither_tensorflow_nor_keras(
    run_cli: Cli, write_photo: Callable[..., Path]
):
    target = write_photo("photo.jpg").with_name("photo_denoised.jpg")
    seen = imported(run_cli("denoise", "photo.jpg", python=["-X", "importtime"]))
    assert target.is_file()
    assert seen & HEAVY == {"ai_edge_litert"}
    assert "rich" not in seen, "there is no terminal to draw a bar on"


def test_the_package_imports_nothing_before_it_is_used():
    code = "import sys, kerasdenoise; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(result.stdout.split()) & (HEAVY | {"numpy", "PIL", "click"})


def test_imports_point_one_way():
    result = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
