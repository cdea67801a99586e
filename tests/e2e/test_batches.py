"""Batches that are disturbed: by another run, a full disk, files that go, and odd names."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from kerasdenoise.cli.batch import Batch
from kerasdenoise.cli.report import Report
from kerasdenoise.cli.treatment import Treatment, make_plan
from kerasdenoise.inference.denoiser import Denoiser

Cli = Callable[..., subprocess.CompletedProcess]
Write = Callable[..., Path]
Start = Callable[..., subprocess.Popen]

CLI = Path(__file__).parents[2] / "cli.py"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def start(cli_environment: dict[str, str], tmp_path: Path) -> Start:
    """Starts the denoise command and returns its process."""

    def run(*args: object) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, CLI, "denoise", *map(str, args)],
            cwd=tmp_path,
            env=cli_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A job in the background ignores interrupts, and its children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return run


def test_steps_overlap_and_change_nothing(run_cli: Cli, write_photo: Write, tmp_path: Path):
    for number in range(5):
        write_photo(f"s/{number}.png", (50 + number, 70))
    (tmp_path / "s/2.png").write_bytes(b"no picture")
    for threads in (1, 2):
        result = run_cli("denoise", "s", "-o", f"out{threads}", "--threads", threads, "--json")
        assert result.returncode == 1
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert [line["input"] for line in lines] == [f"s/{number}.png" for number in range(5)]
        assert [line["status"] == "failed" for line in lines] == [0, 0, 1, 0, 0]
    for path in (tmp_path / "out1").iterdir():
        assert path.read_bytes() == (tmp_path / "out2" / path.name).read_bytes()
    assert names(tmp_path / "out1") == {"0.png", "1.png", "3.png", "4.png"}


def test_an_interrupted_folder_goes_on_where_it_was(
    run_cli: Cli, start: Start, write_photo: Write, tmp_path: Path
):
    for number in range(12):
        write_photo(f"s/{number:02}.png", (300, 300))
    process = start("s", "-o", "out", "--json", "--tile", 20, "--threads", 2)
    assert json.loads(process.stdout.readline())["status"] == "written"
    process.send_signal(signal.SIGINT)
    printed, messages = process.communicate(timeout=300)
    assert process.returncode == 130, messages
    written = 1 + len(printed.splitlines())
    assert messages.startswith(f"kerasdenoise: interrupted: {written} of 12 written")
    assert len(names(tmp_path / "out")) == written < 12
    again = run_cli("denoise", "s", "-o", "out", "--skip-existing")
    assert again.stderr.splitlines()[-1] == f"{12 - written} written, {written} skipped"
    assert run_cli("denoise", "s", "-o", "whole").returncode == 0
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


def test_two_runs_at_once_do_each_photo_once(start: Start, write_photo: Write, tmp_path: Path):
    for number in range(6):
        write_photo(f"s/{number}.png", (200, 200))
    runs = [start("s", "-o", "out", "--skip-existing", "--json", "--tile", 20) for _ in range(2)]
    lines = []
    for process in runs:
        printed, messages = process.communicate(timeout=300)
        assert (process.returncode, messages) == (0, "")
        lines += [json.loads(line) for line in printed.splitlines()]
    written = [line["input"] for line in lines if line["status"] == "written"]
    assert sorted(written) == [f"s/{number}.png" for number in range(6)]
    assert names(tmp_path / "out") == {f"{number}.png" for number in range(6)}


def test_without_leave_to_skip_the_second_run_fails_and_spoils_nothing(
    start: Start, write_photo: Write, tmp_path: Path
):
    write_photo("a.png", (200, 200))
    runs = [start("a.png", "--tile", 12, "--quiet") for _ in range(2)]
    messages = [process.communicate(timeout=300)[1] for process in runs]
    codes = sorted(process.returncode for process in runs)
    # Refused at once if it came so late that the result was there before it began.
    assert codes in ([0, 1], [0, 2])
    assert "a_denoised.png: already exists" in "".join(messages)
    Image.open(tmp_path / "a_denoised.png").load()
    assert names(tmp_path) == {"a.png", "a_denoised.png"}


def test_a_photo_that_goes_while_others_are_done_fails_alone(
    start: Start, write_photo: Write, tmp_path: Path
):
    for number in range(5):
        write_photo(f"s/{number}.png", (200, 200))
    process = start("s", "-o", "out", "--json", "--tile", 20, "--threads", 1)
    process.stdout.readline()
    (tmp_path / "s/4.png").unlink()
    printed, messages = process.communicate(timeout=300)
    assert process.returncode == 1
    assert json.loads(printed.splitlines()[-1])["status"] == "failed"
    assert messages.startswith("kerasdenoise: s/4.png: no such file; ")
    assert names(tmp_path / "out") == {"0.png", "1.png", "2.png", "3.png"}


def in_namespace(
    script: str, cwd: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess:
    """Runs a script that may mount what it likes: it is gone when the script ends."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")
    probe = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    check = "mkdir -p disk && mount -t tmpfs -o size=64k none disk"
    if subprocess.run([*probe, check], cwd=cwd, capture_output=True).returncode:
        pytest.skip("this user may mount nothing")
    return subprocess.run(
        [*probe, script], cwd=cwd, env=environment, capture_output=True, text=True
    )


def test_a_full_disk_fails_what_does_not_fit_and_leaves_nothing_of_it(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    write_photo("s/a.png", (20, 20))
    write_photo("s/b.png", (300, 300))
    write_photo("s/c.png", (20, 20))
    script = f"""mkdir -p disk && mount -t tmpfs -o size=64k none disk
        "{sys.executable}" "{CLI}" denoise s -o disk; code=$?; ls -A disk; exit $code"""
    result = in_namespace(script, tmp_path, cli_environment)
    assert result.returncode == 1, result.stderr
    assert result.stdout.split() == ["a.png", "c.png"]
    assert "2 written, 1 failed" in result.stderr
    assert re.search(r"disk/b\.png: no space.*; free", result.stderr)


def test_a_limit_on_files_is_a_failure_like_others(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    resource = pytest.importorskip("resource", reason="there are no such limits on Windows")
    write_photo("s/a.png", (20, 20))
    write_photo("s/b.png", (300, 300))
    result = subprocess.run(
        [sys.executable, CLI, "denoise", "s", "-o", "out"],
        cwd=tmp_path,
        env=cli_environment,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16)),
    )
    assert result.returncode == 1
    assert re.search(r"out/b\.png: .*written.*File too large", result.stderr)
    assert names(tmp_path / "out") == {"a.png"}


def test_a_disk_that_is_read_only_is_refused_before_any_work(
    cli_environment: dict[str, str], write_photo: Write, tmp_path: Path
):
    write_photo("a.png")
    script = f"""mkdir -p disk && mount -t tmpfs -o ro none disk
        "{sys.executable}" "{CLI}" denoise a.png -o disk/inner/"""
    result = in_namespace(script, tmp_path, cli_environment)
    assert result.returncode == 2
    assert re.fullmatch(r"kerasdenoise: disk: .*written.*; .* -o\n", result.stderr)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_may_be_in_any_language_and_in_none(run_cli: Cli, write_photo: Write, tmp_path: Path):
    source = write_photo("s/照片 1.jpg")
    strange = os.fsdecode(b"s/\xff\xe4.jpg")
    shutil.copy(source, tmp_path / strange)
    assert run_cli("denoise", "s", "-o", "干净").returncode == 0
    assert names(tmp_path / "干净") == {"照片 1.jpg", Path(strange).name}
    result = run_cli("denoise", strange, "--json")
    assert result.returncode == 0
    line = json.loads(result.stdout)
    assert line["input"] == strange
    assert (tmp_path / line["output"]).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("threads", [1, 2])
def test_an_interruption_ends_a_batch_whatever_a_reader_does(
    cli_environment: dict[str, str], tmp_path: Path, write_photo: Write, threads: int
):
    write_photo("a.png")
    write_photo("b.png")
    (tmp_path / "hang.py").write_text(
        "import sys, time, kerasdenoise.cli.treatment as treatment\n"
        "read = treatment.read_image\n"
        "def hang(source, *rest, **more):\n"
        "    if source.name == 'b.png':\n"
        "        print('hangs', file=sys.stderr, flush=True)\n"
        "        time.sleep(600)\n"
        "    return read(source, *rest, **more)\n"
        "treatment.read_image = hang\n"
        "from kerasdenoise.cli import main\n"
        "main()\n",
        "utf-8",
    )
    process = subprocess.Popen(
        [sys.executable, "hang.py", "denoise", "a.png", "b.png", "--threads", str(threads)],
        cwd=tmp_path,
        env={**cli_environment, "PYTHONPATH": str(CLI.parent)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stderr is not None
    lines = []
    while "hangs" not in (line := process.stderr.readline()):
        assert line
        lines.append(line)
    while "a_denoised.png" not in names(tmp_path):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, rest = process.communicate(timeout=300)  # the reader takes twice as long
    assert process.returncode == 130
    assert "1 of 2 written" in rest
    assert names(tmp_path) >= {"a_denoised.png"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_a_folder_that_becomes_a_link_to_the_photos_costs_no_original(
    tmp_path: Path, models: Path, write_photo: Write
):
    write_photo("photos/a.png")
    results = tmp_path / "results"
    results.mkdir()
    shutil.copy(tmp_path / "photos" / "a.png", results)
    original = (tmp_path / "photos" / "a.png").read_bytes()
    denoiser = Denoiser("tiny", threads=1)
    treatment = Treatment(denoiser, denoiser.prepare(), overwrite=True)
    plan, _ = make_plan([str(tmp_path / "photos" / "a.png")], f"{results}/", treatment)
    shutil.rmtree(results)
    results.symlink_to(tmp_path / "photos")
    batch = Batch(treatment, skip_existing=False, as_json=False, quiet=True, report=Report())
    assert batch.run(plan) == 1
    assert (tmp_path / "photos" / "a.png").read_bytes() == original


def test_a_dry_run_says_which_name_is_too_long(run_cli: Cli, write_photo: Write, tmp_path: Path):
    write_photo("a.png")
    write_photo(f"{'b' * 249}.png")
    outcome = run_cli("denoise", ".", "--dry-run")
    assert outcome.returncode == 1
    assert "too long" in outcome.stderr
    assert "1 planned, 1 failed" in outcome.stderr
    outcome = run_cli("denoise", ".")
    assert outcome.returncode == 1
    assert "too long" in outcome.stderr
    assert (tmp_path / "a_denoised.png").exists()
