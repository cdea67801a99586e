"""A folder for results that becomes a link to the photos after planning costs none of them."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.evaluation import comparison, quality
from kerasdenoise.images import write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")

_BENCHMARK = ("benchmark", "tiny", "--images", "set", "--no-peers", "--photo", "24x16")
_BENCHMARK += ("--tile", "16", "--rounds", "1", "--threads", "1")
_COMMANDS = {
    "denoise": ("denoise", "a.png", "-o", "out/b.png"),
    "pipe": ("denoise", "-", "-o", "out/b.png"),
    "--compare": ("denoise", "a.png", "-o", "done.png", "--compare", "out/b.png"),
    "--preview": ("denoise", "a.png", "--preview", "-o", "out/b.png"),
    "noise": ("noise", "a.png", "--kind", "gaussian:25", "-o", "out/b.png"),
    "compare": ("compare", "a.png", "a.png", "-o", "out/b.png"),
    "--difference": ("compare", "a.png", "a.png", "--difference", "out/b.png"),
    "evaluate": ("evaluate", "tiny", "set", "--noise", "gaussian:25", "--json", "out/b.png"),
    "benchmark": (*_BENCHMARK, "--json", "out/b.png"),
    "--page": (*_BENCHMARK, "--page", "out/b.png"),
}


@pytest.mark.parametrize("existed", [False, True], ids=["new", "overwritten"])
@pytest.mark.parametrize("name", _COMMANDS)
def test_it_costs_no_original(
    command: Callable[..., Any],
    write_photo: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    existed: bool,
):
    photos, results = tmp_path / "set", tmp_path / "out"
    photo = write_photo("a.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(photo)))
    original = write_photo("set/b.png").read_bytes()
    results.mkdir()
    if existed:
        (results / "b.png").write_bytes(b"old result")

    def swap_before(module: Any, function: str) -> None:
        wrapped = getattr(module, function)

        def swap(*args: Any, **options: Any) -> Any:
            if not results.is_symlink():
                results.rename(tmp_path / "away")
                results.symlink_to(photos)
            return wrapped(*args, **options)

        monkeypatch.setattr(module, function, swap)

    monkeypatch.setattr(comparison, "_LEAST", 0.0)
    swap_before(quality, "to_json")
    swap_before(comparison, "to_json")
    swap_before(comparison, "render_page")
    if name not in ("benchmark", "--page"):  # which write photos of their own
        swap_before(write, "_encode")
    outcome = command(*_COMMANDS[name], *(["--overwrite"] if existed else []))
    assert results.is_symlink(), "the folder was swapped"
    assert outcome.code == 1
    assert "out/b.png: " in outcome.err
    assert (photos / "b.png").read_bytes() == original
    assert [path.name for path in photos.iterdir()] == ["b.png"]
