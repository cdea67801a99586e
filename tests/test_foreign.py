"""Names and texts from others: no paths where names should be, nothing that a terminal obeys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kerasdenoise.errors import ModelError, RecipeError
from kerasdenoise.foreign import address_of, fault_of_name, printable
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.zoo import find_model, list_models, read_info

ROOT = Path(__file__).parents[1]
BAD_NAMES = [
    "",
    ".",
    "..",
    "../up",
    "a/b",
    "/tmp/absolute",
    "..\\up",
    "a\\b",
    "C:x",
    "a\nb",
    "a\x1b[2Jb",
    "a\u202egpj",
    "a\0b",
    ".hidden",
    "~root",
    "-rf",
    "dot.",
    "x" * 101,
]
ATTACKS = {
    "\x1b[2J": "\\x1b[2J",
    "\r": "\\x0d",
    "\n": "\\x0a",
    "\u202e": "\\u202e",
    "\u2028": "\\u2028",
    "\x9b": "\\x9b",
    "\x7f": "\\x7f",
    "\udcff": "\\xff",
}


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_is_one_plain_part_of_a_path(name: str) -> None:
    assert fault_of_name(name)


@pytest.mark.parametrize("name", ["photo", "photo_large", "my model 2.1", "été", "模型"])
def test_usual_names_have_no_fault(name: str) -> None:
    assert fault_of_name(name) is None


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_recipe_of_such_a_name_is_refused(name: str) -> None:
    text = (ROOT / "recipes" / "photo_first.toml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("name = ")]
    parse_recipe("\n".join(['name = "good"', *lines]))
    with pytest.raises(RecipeError, match="name"):
        parse_recipe("\n".join([f"name = {json.dumps(name)}", *lines]))


@pytest.mark.parametrize("name", [*BAD_NAMES, 7, None])
def test_a_model_of_such_a_name_is_refused(name: object, models: Path, tmp_path: Path) -> None:
    metadata = json.loads((models / "tiny" / "metadata.json").read_text("utf-8"))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "metadata.json").write_text(json.dumps({**metadata, "name": name}), "utf-8")
    with pytest.raises(ModelError, match="name"):
        read_info(folder)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_an_index_with_such_a_name_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = {"default": "x", "models": {name: {"files": {}}}}
    (tmp_path / "index.json").write_text(json.dumps(index), "utf-8")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="name"):
        list_models()


@pytest.mark.parametrize("file", ["../other/model.tflite", "/etc/passwd"])
def test_an_index_of_files_elsewhere_is_refused(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {file: {"sha256": "0", "bytes": 1}}
    index = {"default": "x", "models": {"x": {"files": files}}}
    (tmp_path / "index.json").write_text(json.dumps(index), "utf-8")
    monkeypatch.setenv("KERASDENOISE_MODELS", str(tmp_path))
    with pytest.raises(ModelError, match="outside its folder"):
        find_model("x")


@pytest.mark.parametrize(
    "change",
    [
        {"radius": 2**70},
        {"stride": 2**70},
        {"part": 2**40},
        {"bytes_per_pixel": 2**64},
        {"channels": 2**70},
        {"stride": 1e300},
    ],
)
def test_absurd_numbers_are_refused(change: dict, models: Path, tmp_path: Path) -> None:
    metadata = json.loads((models / "tiny" / "metadata.json").read_text("utf-8"))
    (tmp_path / "metadata.json").write_text(json.dumps({**metadata, **change}), "utf-8")
    with pytest.raises(ModelError, match=r"out of range|not a whole number"):
        read_info(tmp_path)


def test_nesting_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("[" * 10**6, "utf-8")
    with pytest.raises(ModelError, match="not valid JSON"):
        read_info(tmp_path)
    with pytest.raises(RecipeError, match="not TOML"):
        parse_recipe("x = " + "[" * 10**5)


@pytest.mark.parametrize(("attack", "shown"), ATTACKS.items())
def test_what_a_terminal_obeys_is_escaped(attack: str, shown: str) -> None:
    assert printable(f"a{attack}b") == f"a{shown}b"


@given(st.text())
def test_any_text_is_one_harmless_line(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    assert len(shown.splitlines()) <= 1
    assert not any(ord(letter) < 32 for letter in shown)


@pytest.fixture
def hostile(tmp_path: Path) -> str:
    """The name of a photo that would clear the screen, and a camera that would as well."""
    exif = Image.Exif()
    exif[0x010F] = exif[0x0110] = "Came\x1b[2Jra\r\u202e"
    name = "\x1b[2Ja\n\u202eb.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    for each in (name, "other\x1b[2J.png"):
        Image.fromarray(pixels).save(tmp_path / each, exif=exif)
    return name


@pytest.mark.parametrize(
    "arguments",
    [
        ["denoise"],
        ["denoise", "--dry-run"],
        ["denoise", "--preview"],
        ["denoise", "-o", "gone/\x1b[2J/"],
        ["denoise", "--bit-depth", "32"],
        ["denoise", "-vv", "--jpeg-quality", "keep"],
        ["denoise", "--model", "\x1b[2J"],
        ["denoise", "--json"],
        ["info"],
        ["info", "--json"],
        ["noise", "--kind", "gaussian:5"],
        ["compare", "other\x1b[2J.png"],
    ],
    ids=str,
)
def test_no_command_sends_them_to_a_terminal(
    arguments: list[str], hostile: str, run_cli: Callable[..., CompletedProcess]
) -> None:
    outcome = run_cli(arguments[0], hostile, *arguments[1:])
    for text in (outcome.stdout, outcome.stderr):
        assert not {"\x1b", "\r", "\u202e"} & set(text)
    assert "x1b" in outcome.stdout + outcome.stderr or "u001b" in outcome.stdout


def test_an_address_is_told_from_a_path() -> None:
    assert address_of(Path("https://example.com/a.jpg")) == "https://example.com/a.jpg"
    assert address_of("ftp://x") == "ftp://x"
    for name in ("a.jpg", "C:/photos", "a/b:/c", "https:", "x:y"):
        assert address_of(name) is None
