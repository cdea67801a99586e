"""What works without the packages of the extra `train`, and what says that it needs them."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# Modules of the extra, and of what its packages bring with them.
HIDDEN = (
    "google",
    "h5py",
    "importlib_resources",
    "keras",
    "keras_tuner",
    "matplotlib",
    "ml_dtypes",
    "msgspec",
    "requests",
    "scipy",
    "tensorboard",
    "tensorflow",
    "tensorflow_datasets",
    "tomli_w",
)

Cli = Callable[..., subprocess.CompletedProcess]
Write = Callable[..., Path]

pytestmark = pytest.mark.usefixtures("without_training")


@pytest.fixture
def without_training(cli_environment: dict[str, str], tmp_path: Path) -> None:
    """Hides the extra's modules from the processes that a test starts."""
    hiding = tmp_path / "hiding"
    hiding.mkdir()
    lines = ["import sys", *(f"sys.modules[{name!r}] = None" for name in HIDDEN)]
    (hiding / "sitecustomize.py").write_text("\n".join(lines), "utf-8")
    cli_environment["PYTHONPATH"] = str(hiding)
    cli_environment["PYTHONDONTWRITEBYTECODE"] = "1"  # which would be a new file


@pytest.mark.parametrize(
    "words",
    [
        ["denoise", "photo.jpg"],
        ["denoise", "photo.jpg", "--preview"],
        ["info", "photo.jpg"],
        ["compare", "photo.jpg", "other.jpg"],
        ["models", "list"],
        ["models", "show", "tiny"],
        ["models", "verify", "tiny"],
        ["app", "--output", "page"],
        ["train", "--help"],
        ["--help"],
    ],
    ids=" ".join,
)
def test_photos_are_denoised_and_looked_at(words: list[str], run_cli: Cli, write_photo: Write):
    write_photo("photo.jpg", (32, 48))
    write_photo("other.jpg", (32, 48))
    result = run_cli(*words)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["train", "recipe.toml"],
        ["tune", "lambda"],
        ["export", "tiny", "--float16"],
        ["evaluate", "tiny", ".", "--noise", "gaussian:25"],
        ["benchmark", "tiny"],
        ["noise", "photo.jpg", "--kind", "gaussian:25"],
        ["models", "list", "--architectures"],
    ],
    ids=" ".join,
)
def test_other_commands_say_what_to_install(words: list[str], run_cli: Cli, tmp_path: Path):
    before = sorted(tmp_path.rglob("*"))
    result = run_cli(*words)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "keras" in line
    assert "make setup" in line
    assert sorted(tmp_path.rglob("*")) == before


def test_python_says_what_to_install(cli_environment: dict[str, str]):
    result = subprocess.run(
        [sys.executable, "-c", "import kerasdenoise; kerasdenoise.layers"],
        env=cli_environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert 'pip install "kerasdenoise[train]"' in result.stderr.splitlines()[-1]


def test_the_two_sets_of_packages_do_not_overlap():
    light = {line.split(">")[0].split("[")[0] for line in PROJECT["dependencies"]}
    train = {line.split(">")[0].split("[")[0] for line in PROJECT["optional-dependencies"]["train"]}
    assert not light & train
    assert {"keras", "tensorflow"} <= train
