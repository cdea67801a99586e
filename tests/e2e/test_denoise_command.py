"""The denoise command as people run it: in a process of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

Cli = Callable[..., subprocess.CompletedProcess]
Write = Callable[..., Path]

CLI = Path(__file__).parents[2] / "cli.py"


def only_line(result: subprocess.CompletedProcess) -> str:
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    return lines[0]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["photo.jpg", "photo.png", "photo.webp"])
def test_the_result_lands_beside_the_photo(run_cli: Cli, write_photo: Write, name: str):
    source = write_photo(name)
    before = source.read_bytes()
    result = run_cli("denoise", name)
    target = source.with_stem("photo_denoised")
    assert result.returncode == 0, result.stderr
    assert result.stdout == ""
    assert only_line(result).startswith(f"{name} → {target.name} (")
    assert source.read_bytes() == before
    with Image.open(target) as written, Image.open(source) as original:
        assert (written.format, written.size) == (original.format, original.size)
        assert not np.array_equal(np.asarray(written), np.asarray(original))


def test_an_ascii_terminal_gets_an_ascii_arrow(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    write_photo("größe.png")
    result = subprocess.run(
        [sys.executable, CLI, "denoise", "größe.png"],
        cwd=tmp_path,
        env={**cli_environment, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    assert b" -> gr" in result.stderr


def test_a_result_that_is_there_is_refused_before_any_work(run_cli: Cli, write_photo: Write):
    first, second = write_photo("a.png"), write_photo("b.png")
    taken = second.with_name("b_denoised.png")
    taken.write_bytes(b"precious")
    before = second.read_bytes()
    result = run_cli("denoise", "a.png", "b.png")
    assert result.returncode == 2
    assert only_line(result).startswith("kerasdenoise: b_denoised.png: already exists; add --over")
    assert second.read_bytes() == before
    assert taken.read_bytes() == b"precious"
    assert names(first.parent) == {"a.png", "b.png", "b_denoised.png"}

    skipping = run_cli("denoise", "a.png", "b.png", "--skip-existing")
    assert (skipping.returncode, taken.read_bytes()) == (0, b"precious")
    assert skipping.stderr.splitlines()[-1] == "1 written, 1 skipped"

    assert run_cli("denoise", "b.png", "--overwrite").returncode == 0
    assert Image.open(taken).size == Image.open(second).size


def test_output_is_a_file_or_a_folder(run_cli: Cli, write_photo: Write, tmp_path: Path):
    write_photo("a.png")
    write_photo("b.png")
    assert run_cli("denoise", "a.png", "-o", "clean.jpg").returncode == 0
    assert Image.open(tmp_path / "clean.jpg").format == "JPEG"
    assert run_cli("denoise", "a.png", "-o", "one/").returncode == 0
    assert names(tmp_path / "one") == {"a.png"}
    assert run_cli("denoise", "a.png", "b.png", "-o", "both").returncode == 0
    assert names(tmp_path / "both") == {"a.png", "b.png"}


def test_the_tile_changes_nothing_but_the_work(run_cli: Cli, write_photo: Write, tmp_path: Path):
    write_photo("a.png", (90, 70))
    for name, option in (("x.png", "auto"), ("y.png", 16)):
        run_cli("denoise", "a.png", "-o", name, "--tile", option, "--threads", 1)
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()


def test_strength_zero_changes_no_pixel(run_cli: Cli, write_photo: Write):
    source = write_photo("a.png", mode="RGBA")
    assert run_cli("denoise", "a.png", "-s", 0).returncode == 0
    target = source.with_name("a_denoised.png")
    np.testing.assert_array_equal(np.asarray(Image.open(target)), np.asarray(Image.open(source)))


def test_json_is_one_object_a_photo_and_nothing_else(run_cli: Cli, write_photo: Write):
    write_photo("a.png", (40, 56))
    write_photo("b.png")
    write_photo("b_denoised.png").write_bytes(b"there")
    Path(write_photo("c.png")).write_bytes(b"no picture")
    result = run_cli("denoise", "a.png", "b.png", "c.png", "--json", "--skip-existing", "-s", 0.5)
    assert result.returncode == 1
    lines = {line["input"]: line for line in map(json.loads, result.stdout.splitlines())}
    assert set(lines) == {"a.png", "b.png", "c.png"}
    seconds = lines["a.png"].pop("seconds")
    assert seconds > 0
    assert lines["a.png"] == {
        "input": "a.png",
        "output": "a_denoised.png",
        "status": "written",
        "model": "tiny",
        "strength": 0.5,
        "format": "PNG",
        "width": 56,
        "height": 40,
        "bit_depth": 8,
        "tiles": 1,
        "device": "cpu",
        "notes": [],
        "error": None,
    }
    assert lines["b.png"]["status"] == "skipped"
    assert lines["c.png"]["status"] == "failed"
    assert "c.png: is not an image" in lines["c.png"]["error"]
    assert only_line(result).startswith("kerasdenoise: c.png: ")


def test_quiet_prints_errors_only(run_cli: Cli, write_photo: Write):
    write_photo("a.png")
    good = run_cli("denoise", "a.png", "--quiet")
    assert (good.returncode, good.stdout, good.stderr) == (0, "", "")
    bad = run_cli("denoise", "missing.png", "a.png", "--quiet", "--overwrite")
    assert bad.returncode == 1
    assert only_line(bad).startswith("kerasdenoise: missing.png: no such file; ")


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("This is no picture.")


def _truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-200])


def _missing(path: Path) -> None:
    path.unlink()


def _unreadable(path: Path) -> None:
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")


@pytest.mark.parametrize("name", ["bad.jpg", "bad.png", "bad.webp"])
@pytest.mark.parametrize("spoil", [_empty, _text, _truncated, _missing, _unreadable])
def test_a_bad_input_fails_in_one_line_and_the_others_are_done(
    run_cli: Cli, write_photo: Write, tmp_path: Path, name: str, spoil: Callable[[Path], None]
):
    spoil(write_photo(name))
    write_photo("good.png")
    result = run_cli("denoise", name, "good.png")
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith("good.png → good_denoised.png")
    assert lines[1] == "1 written, 1 failed"
    assert lines[2].startswith(f"kerasdenoise: {name}: ")
    assert "; " in lines[2], "no remedy"
    assert len(lines) == 3
    assert (tmp_path / "good_denoised.png").is_file()
    assert not (tmp_path / f"bad_denoised{Path(name).suffix}").exists()


def test_a_target_that_cannot_be_written_is_refused_in_one_line(
    run_cli: Cli, write_photo: Write, tmp_path: Path
):
    write_photo("a.png")
    (tmp_path / "file").write_text("in the way")
    result = run_cli("denoise", "a.png", "-o", "file/a.png")
    assert result.returncode == 2
    assert only_line(result).startswith("kerasdenoise: file: is a file, not a folder; ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-s", "2.5"], r"strength 2\.5: .*0 and 2; "),
        (["-s", "nan"], "strength nan: .*0 and 2; "),
        (["-s", "1.5"], r"strength 1\.5: .*tiny"),
        (["-s", "much"], "-s.*--strength"),
        (["--tile", "3"], "--tile 3: .*small.* 4 pixels"),
        (["--tile", "big"], "'big' .*auto.*pixels"),
        (["--sigma", "much"], "'much' .*auto.*number"),
        (["--threads", "0"], "--threads"),
        (["-m", "tinny"], "model tinny: unknown; .*tiny"),
        (["--overwrite", "--skip-existing"], "--skip-existing"),
        (["--stregth", "1"], "Did you mean"),
        (["*.webp"], r"\*\.webp: .*no file"),
        (["--name", "{stem}"], r"suffix.*a\.png"),
        (["-o", "b.png", "--name", "{stem}.png"], "names the file"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line_before_any_work(
    run_cli: Cli, write_photo: Write, tmp_path: Path, options: list[str], message: str
):
    write_photo("a.png")
    result = run_cli("denoise", "a.png", *options)
    assert result.returncode == 2
    assert re.search(message, only_line(result))
    assert only_line(result).startswith("kerasdenoise: ")
    assert names(tmp_path) == {"a.png"}


def test_a_traceback_is_for_those_who_ask(run_cli: Cli):
    assert "Traceback" not in run_cli("denoise", "missing.png", "-v").stderr
    assert "Traceback" in run_cli("denoise", "missing.png", "-vv").stderr
    assert "Traceback" in run_cli("denoise", "missing.png", "-vv", "-m", "none").stderr


def test_an_interrupted_run_leaves_nothing_half_written(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    write_photo("a.png", (8, 8))
    write_photo("b.png", (700, 900))
    # Tiles of two pixels inside their overlap: minutes of work for the second photo.
    process = subprocess.Popen(
        [sys.executable, CLI, "denoise", "a.png", "b.png", "--json", "--tile", "10"],
        cwd=tmp_path,
        env=cli_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A job in the background ignores interrupts, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["status"] == "written"
    process.send_signal(signal.SIGINT)
    _, messages = process.communicate(timeout=300)
    assert process.returncode == 130, messages
    assert messages.startswith("kerasdenoise: interrupted: 1 of 2 written")
    assert "--skip-existing" in messages
    assert len(messages.splitlines()) == 1
    assert names(tmp_path) == {"a.png", "a_denoised.png", "b.png"}


def test_a_reader_that_goes_away_ends_the_run_quietly(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    for name in "ab":
        write_photo(f"{name}.png")
    with subprocess.Popen(
        [sys.executable, CLI, "denoise", "a.png", "b.png", "--json"],
        cwd=tmp_path,
        env=cli_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 1


def test_a_terminal_gets_one_bar_with_the_photos_name(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    write_photo("a.png", (100, 100))
    write_photo("[b].png", (100, 100))
    pty = pytest.importorskip("pty", reason="there are no such terminals on Windows")
    terminal, end = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, CLI, "denoise", "a.png", "[b].png", "--tile", "20"],
            cwd=tmp_path,
            env={**cli_environment, "TERM": "xterm-256color", "COLUMNS": "100"},
            stderr=end,
        ) as process:
            os.close(end)
            shown = b""
            try:
                while chunk := os.read(terminal, 65536):
                    shown += chunk
            except OSError:  # what Linux says of a terminal that nobody writes to any more
                pass
        assert process.returncode == 0
    finally:
        os.close(terminal)
    text = shown.decode()
    assert "100%" in text
    assert "a.png → a_denoised.png" in text
    assert "[b].png → [b]_denoised.png" in text
    assert text.rstrip().endswith("2 written")


def test_a_closed_standard_error_is_no_reason_to_fail(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    write_photo("a.png")
    command = f'"{sys.executable}" "{CLI}" denoise a.png 2>&-'
    result = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=cli_environment, stdout=subprocess.PIPE
    )
    assert (result.returncode, result.stdout) == (0, b"")
    assert (tmp_path / "a_denoised.png").is_file()


def test_a_noise_level_is_refused_by_a_model_that_finds_it(
    run_cli: Callable[..., subprocess.CompletedProcess], write_photo: Callable[..., Path]
):
    photo = write_photo("photo.png")
    result = run_cli("denoise", photo, "--sigma", 10)
    assert result.returncode == 2
    assert re.search("--sigma 10: .*tiny.*noise level", result.stderr)
    assert not photo.with_name("photo_denoised.png").exists()


def test_the_noise_level_is_estimated_if_asked_for(run_cli: Cli, write_photo: Write):
    photo = write_photo("photo.png")
    assert run_cli("denoise", photo, "--sigma", "auto").returncode == 0
    assert photo.with_name("photo_denoised.png").is_file()
