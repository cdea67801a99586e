"""A search in processes of its own, which are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

CLI = Path(__file__).parents[2] / "cli.py"

SPACE = """
architectures = ["dncnn"]
[base]
steps = 8
pixels = 2048
[base.config]
preset = "tiny"
[space.optimization]
learning_rate = { low = 1e-4, high = 1e-2, log = true }
[space.config]
width = [4, 6, 8]
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc"),
]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """Starts a search; each that still runs at the end is killed."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "small.npz", images=rng.integers(0, 256, (30, 32, 32, 3), np.uint8))
    (tmp_path / "space.toml").write_text(SPACE, "utf-8")
    started: list[subprocess.Popen] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen:
        with (tmp_path / "log.txt").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, str(CLI), "tune", "dncnn", "--space", "space.toml", *arguments],
                cwd=tmp_path,
                env={**os.environ, **environment},
                stderr=log,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()


def _wait(condition: Callable[[], bool], seconds: float = 400) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def _find(parent: subprocess.Popen, name: str) -> int | None:
    """The process of a search that KerasTuner calls so."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        # After the name in parentheses come the state and the parent's number.
        if int(status.rpartition(")")[2].split()[1]) != parent.pid:
            continue
        if f"KERASTUNER_TUNER_ID={name}".encode() in environment.split(b"\0"):
            return int(folder.name)
    return None


def _kill(parent: subprocess.Popen, name: str) -> None:
    pid = _find(parent, name)
    assert pid is not None, f"{name} does not run"
    os.kill(pid, signal.SIGKILL)
    _wait(lambda: _find(parent, name) not in (None, pid))


def _trials(tmp_path: Path) -> dict[str, str]:
    found = {}
    for file in sorted((tmp_path / "runs/tune_dncnn/search").glob("trial_*/trial.json")):
        found[file.parent.name] = json.loads(file.read_text("utf-8"))["status"]
    return found


def _running(tmp_path: Path, tuner: str) -> str | None:
    file = tmp_path / "runs/tune_dncnn/search/oracle.json"
    if not file.exists():
        return None
    trial = json.loads(file.read_text("utf-8"))["ongoing_trials"].get(tuner)
    begun = file.parent / f"trial_{trial}" / "values.json"
    return trial if trial and begun.exists() else None


def _log(tmp_path: Path) -> str:
    return (tmp_path / "log.txt").read_text("utf-8")


def test_a_search_that_is_killed_again_and_again_comes_to_its_end(
    start: Callable[..., subprocess.Popen], tmp_path: Path
):
    process = start("--data", "small.npz", "--trials", "5")
    moments = random.Random(0)
    results: dict[Path, float] = {}
    for _ in range(4):
        _wait(lambda: _running(tmp_path, "tuner0") is not None)
        time.sleep(moments.uniform(0, 4))
        if process.poll() is not None:
            break
        process.kill()
        process.wait()
        for file in tmp_path.glob("runs/tune_dncnn/search/*/result.json"):
            results.setdefault(file, file.stat().st_mtime)
        process = start("--resume", "--trials", "5")
    assert process.wait(400) == 0, _log(tmp_path)
    assert list(_trials(tmp_path).values()) == ["COMPLETED"] * 5
    for file, written in results.items():
        assert file.stat().st_mtime == written, "a trial was done twice"
    assert (tmp_path / "runs/tune_dncnn/tuned.toml").exists()


def test_a_killed_process_is_started_again_and_its_trial_given_up_in_the_end(
    start: Callable[..., subprocess.Popen], tmp_path: Path
):
    process = start("--data", "small.npz", "--trials", "2")
    for _ in range(2):
        _wait(lambda: _running(tmp_path, "tuner0") == "0000")
        assert _trials(tmp_path)["trial_0000"] == "RUNNING"
        _kill(process, "tuner0")
    assert process.wait(400) == 0, _log(tmp_path)
    assert list(_trials(tmp_path).values()) == ["FAILED", "COMPLETED"]
    assert "was killed 2 times" in (tmp_path / "runs/tune_dncnn/report.md").read_text("utf-8")


def test_workers_and_a_chief_survive_each_others_death(
    start: Callable[..., subprocess.Popen], tmp_path: Path
):
    process = start("--data", "small.npz", "--trials", "6", "--workers", "2")
    _wait(lambda: _running(tmp_path, "worker0") is not None)
    mine = _running(tmp_path, "worker0")
    _kill(process, "worker0")
    _wait(lambda: _trials(tmp_path)[f"trial_{mine}"] == "COMPLETED")
    _wait(lambda: _running(tmp_path, "worker1") is not None)
    alive = _find(process, "worker1")
    _kill(process, "chief")
    assert process.wait(600) == 0, _log(tmp_path)
    assert alive is not None
    assert list(_trials(tmp_path).values()) == ["COMPLETED"] * 6
    ends = json.loads((tmp_path / "runs/tune_dncnn/search/oracle.json").read_text("utf-8"))
    assert sorted(ends["end_order"]) == [f"{number:04}" for number in range(6)]


def test_a_chief_and_a_worker_started_by_hand_find_each_other(
    start: Callable[..., subprocess.Popen], tmp_path: Path
):
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    where = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": port}
    options = ("--data", "small.npz", "--trials", "2")
    chief = start(*options, **where, KERASTUNER_TUNER_ID="chief")
    _wait(lambda: (tmp_path / "runs/tune_dncnn/study.json").exists())
    worker = start(**where, KERASTUNER_TUNER_ID="machine_2")
    assert worker.wait(400) == 0, _log(tmp_path)
    assert chief.wait(400) == 0, _log(tmp_path)
    assert list(_trials(tmp_path).values()) == ["COMPLETED"] * 2
    assert "next: kerasdenoise train" in _log(tmp_path)
