"""The commands of README.md, docs/command_line.md and the tutorials exist; quick ones work."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.cli import group

ROOT = Path(__file__).parents[2]


def read_lines(page: str) -> list[list[str]]:
    """The words of each command line on a page; what a shell redirects is left out."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.M | re.S)
    return [
        shlex.split(line.partition(" < ")[0], comments=True)
        for language, block in blocks
        if not language
        for line in block.splitlines()
        if line.strip()
    ]


README = read_lines("README.md")
TUTORIALS = [
    line
    for page in sorted((ROOT / "docs" / "tutorials").glob("*.md"))
    for line in read_lines(page.relative_to(ROOT).as_posix())
]


def find_commands(lines: list[list[str]]) -> list[list[str]]:
    return [words[2:] for words in lines if words[:2] == ["python", "cli.py"]]


COMMANDS = find_commands([*README, *read_lines("docs/command_line.md")])
# The others train, search, export, serve or measure for minutes, of a run or images of a user.
QUICK = ("denoise", "compare", "info", "models", "noise")


def test_every_line_is_a_command_of_this_checkout():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert len(COMMANDS) > 10
    for words in README:
        known = {"make": words[1:] and words[1] in targets, "source": True, "python": True}
        assert known.get(words[0]), words
    # Without that, `python` is one that lacks the packages.
    (first,) = [i for i, words in enumerate(README) if words == ["source", ".venv/bin/activate"]]
    assert first < min(i for i, words in enumerate(README) if words[0] == "python")


@pytest.mark.parametrize("words", [*COMMANDS, *find_commands(TUTORIALS)], ids=" ".join)
def test_every_command_has_these_options(words: list[str]):
    command: click.Command = group
    context = click.Context(group)
    while isinstance(command, click.Group):
        found = command.get_command(context, words[0])
        assert found is not None, words
        command, words = found, words[1:]
    command.make_context(command.name, words, parent=context)


@pytest.mark.parametrize(
    "words", [w for w in COMMANDS if w[0] in QUICK and "-" not in w], ids=" ".join
)
def test_quick_commands_work_as_written(
    words: list[str],
    run_cli: Callable[..., subprocess.CompletedProcess],
    write_photo: Callable[..., Path],
    models_folder: Path,
    tmp_path: Path,
):
    for name in ("photo.jpg", "photo_denoised.jpg", "clean.png", "shoot/a.jpg", "shoot/b/c.jpg"):
        write_photo(name, (32, 48))
    if words[0] == "denoise" and "--preview" not in words:
        (tmp_path / "photo_denoised.jpg").unlink()
    names = {"photo_large": "tiny", "photo": "tiny"}
    result = run_cli(*(names.get(word, word) for word in words))
    assert result.returncode == 0, result.stderr


def test_the_python_of_the_readme_runs_as_written(
    models: Path,
    write_photo: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    text = (ROOT / "README.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    photo = write_photo("photo.jpg", (32, 48))
    monkeypatch.chdir(tmp_path)
    with Image.open(photo) as picture:
        names = {"array": np.asarray(picture)}
    exec(compile(block, "README.md", "exec"), names)
    assert (tmp_path / "photo_denoised.jpg").is_file()
    assert names["denoised"].shape == (32, 48, 3)
    assert names["denoised"].dtype == np.uint8


def test_a_python_without_packages_says_what_to_run(tmp_path: Path):
    shutil.copy(ROOT / "cli.py", tmp_path)
    shutil.copytree(ROOT / "kerasdenoise", tmp_path / "kerasdenoise")

    def run() -> str:
        # -S leaves out site-packages, as in the Python of a system.
        result = subprocess.run(
            [sys.executable, "-S", "cli.py", "info", "photo.jpg"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        return line

    assert "lacks PIL, " in run()
    assert run().endswith("; run make denoise, which installs them")
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert run().endswith(f"; run {python} cli.py")
