"""The script for darktable, with a stand-in for darktable's API."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lupa
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]

# What the script uses of darktable; `log` keeps what it says and asks for.
_DARKTABLE = """
log = {printed = {}, errors = {}, commands = {}, imported = {}, grouped = {}}
local dt = {preferences = {}, control = {}, database = {}}
dt.configuration = {running_os = running_os}
function dt.print(text) table.insert(log.printed, text) end
function dt.print_error(text) table.insert(log.errors, text) end
function dt.preferences.register() end
function dt.preferences.read() return program end
function dt.new_widget() return function(fields) return fields end end
function dt.control.execute(command)
  table.insert(log.commands, command)
  return run(command)
end
function dt.database.import(path)
  table.insert(log.imported, path)
  return {group_with = function(self, image) table.insert(log.grouped, image.filename) end}
end
function dt.register_storage(name, title, store, finalize, supported, initialize, widget)
  storage = {store = store, finalize = finalize, supported = supported, widget = widget}
end
package.preload["darktable"] = function() return dt end
"""


@pytest.fixture
def load() -> Callable[..., Any]:
    """Loads the script under a system, with a program and what runs its commands."""

    def load(system: str, program: str, run: Callable[[str], int]) -> Any:
        make_runtime: Any = lupa.LuaRuntime
        lua = make_runtime()
        lua.globals().running_os = system
        lua.globals().program = program
        lua.globals().run = run
        lua.execute(_DARKTABLE)
        lua.execute((ROOT / "apps/darktable/kerasdenoise.lua").read_text("utf-8"))
        return lua

    return load


def _export(lua: Any, image: Path, exported: Path | str) -> Any:
    of_lua = lua.table_from({"path": str(image.parent), "filename": image.name})
    exports = lua.table()
    exports[of_lua] = str(exported)
    lua.globals().storage.finalize(None, exports)
    return lua.globals().log


@pytest.mark.skipif(os.name == "nt", reason="runs a POSIX shell")
def test_a_photo_is_denoised_beside_its_original(
    load: Callable[..., Any], models: Path, tmp_path: Path
):
    folder = tmp_path / "O'Brien's photos"
    folder.mkdir()
    original, exported = folder / "a.b.CR2", tmp_path / "export's.png"
    (folder / "a.b_denoised.png").write_bytes(b"of an earlier day")
    Image.new("RGB", (24, 16), (90, 120, 60)).save(exported)

    def run(command: str) -> int:
        command = command.replace("kerasdenoise", f"{sys.executable} {ROOT / 'cli.py'}", 1)
        return subprocess.run(command.replace("'", "", 2), shell=True, check=False).returncode

    log = _export(load("linux", "", run), original, exported)
    target = folder / "a.b_denoised_2.png"
    assert [*log.imported.values()] == [str(target)]
    assert [*log.grouped.values()] == [original.name]
    with Image.open(target) as denoised:
        assert denoised.size == (24, 16)
    assert not exported.exists()
    assert (folder / "a.b_denoised.png").read_bytes() == b"of an earlier day"
    assert [*log.printed.values()][-1] == "kerasdenoise: 1 denoised"


def test_the_command_has_what_was_set(load: Callable[..., Any], tmp_path: Path):
    lua = load("linux", "/opt/it's/kerasdenoise", lambda command: 0)
    lua.globals().storage.widget[1].value = 0.75
    log = _export(lua, tmp_path / "a.CR2", tmp_path / "a.tif")
    (command,) = log.commands.values()
    assert shlex.split(command) == [
        "/opt/it's/kerasdenoise", "denoise", str(tmp_path / "a.tif"),
        "-o", str(tmp_path / "a_denoised.tif"), "--strength", "0.75", "--detail", "0", "--quiet",
    ]  # fmt: skip


def test_windows_gets_a_quoted_line(load: Callable[..., Any]):
    log = _export(load("windows", "", lambda command: 0), Path("photo.CR2"), "C:\\t m\\a.tif")
    (command,) = log.commands.values()
    assert command.startswith(
        '""kerasdenoise" denoise "C:\\t m\\a.tif" -o ".\\photo_denoised.tif" '
    )
    assert command.endswith('"')


def test_what_fails_is_said_and_not_imported(load: Callable[..., Any], tmp_path: Path):
    exported = tmp_path / "a.tif"
    exported.write_bytes(b"no picture")
    log = _export(load("linux", "", lambda command: 1), tmp_path / "a.CR2", exported)
    assert [*log.imported.values()] == []
    assert "1 failed" in [*log.printed.values()][-1]
    assert len([*log.errors.values()]) == 1
    assert not exported.exists()


@pytest.mark.parametrize(
    ("extension", "is_supported"), [("tif", True), ("jpg", True), ("exr", False)]
)
def test_formats_that_are_read_are_offered(
    load: Callable[..., Any], extension: str, is_supported: bool
):
    lua = load("linux", "", lambda command: 0)
    supported = lua.globals().storage.supported
    assert supported(None, lua.table_from({"extension": extension})) is is_supported
