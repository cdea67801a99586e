"""The processes of a study, started, watched over and started again.

A search is never done in the process that a person started: the system may kill the one that
runs out of memory, and the search continues without that trial.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from kerasdenoise.errors import OutputError
from kerasdenoise.plain_json import read_json, write_json
from kerasdenoise.runtime import usable_cores
from kerasdenoise.tuning.study import DEATHS, Study, read_results

TUNER_ID, ORACLE_IP, ORACLE_PORT = (
    "KERASTUNER_TUNER_ID",
    "KERASTUNER_ORACLE_IP",
    "KERASTUNER_ORACLE_PORT",
)
CHIEF, ALONE = "chief", "tuner0"

# The exit code of a worker whose chief went away while it asked something.
LOST_CHIEF = 75

_PAUSE = 0.2
# A process that dies so often while no trial ends is not started again.
_MOST_DEATHS = 4
_PATIENCE = 5


def worker_names(workers: int) -> list[str]:
    """Names the processes that do trials on this machine."""
    return [f"worker{number}" for number in range(workers)] if workers > 1 else [ALONE]


def watch_over(study: Study, command: Callable[[], Sequence[str]], workers: int) -> int:
    """Runs a search in processes of its own until it is over.

    Args:
        study: What is searched.
        command: Makes the command of a process; it differs by its environment alone.
        workers: How many do trials; with several, another one is the chief.

    Returns:
        0 if the search is over, or the exit code of a process that gave up.

    Raises:
        OutputError: If processes die again and again while no trial ends.
    """
    parts = _make_parts(study, command, workers)
    ended, deaths = _count_ended(study), 0
    try:
        for part in parts:
            part.start()
        while not all(part.is_done for part in parts if part.name != CHIEF):
            time.sleep(_PAUSE)
            for part in parts:
                code = part.poll()
                if code is None or part.is_done:
                    continue
                if code > 0 and code != LOST_CHIEF:
                    return code
                if code < 0:
                    part.note_death()
                    now = _count_ended(study)
                    deaths = deaths + 1 if now == ended else 1
                    ended = now
                if deaths > _MOST_DEATHS:
                    raise OutputError(
                        study.folder,
                        f"{part.name} was killed {deaths} times while no trial ended",
                        "free some memory, or look for what kills it; then add --resume",
                    )
                part.start()
        return 0
    finally:
        for part in parts:
            part.stop()


def end_with_parent() -> None:
    """Ends this process as soon as its standard input does, which its parent holds open."""

    def wait() -> None:
        with contextlib.suppress(OSError, ValueError):
            while os.read(0, 4096):
                pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


class _Part:
    """A process of a search.

    Args:
        study: What is searched.
        name: What KerasTuner calls it.
        command: Makes its command.
        environment: What is added to this process's own.
    """

    def __init__(
        self,
        study: Study,
        name: str,
        command: Callable[[], Sequence[str]],
        environment: dict[str, str],
    ) -> None:
        self.name = name
        self.is_done = False
        self._study = study
        self._command = command
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, for the first time or again."""
        self._process = subprocess.Popen(
            self._command(),
            env={**os.environ, **self._environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            # Interrupted is the parent alone, and its children end with it.
            start_new_session=True,
        )

    def poll(self) -> int | None:
        """Returns its exit code, negative if it was killed, or None while it runs."""
        code = self._process.poll() if self._process else None
        if code == 0:
            self.is_done = True
        return code

    def stop(self) -> None:
        """Ends it if it runs, and waits until it has."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()  # pyright: ignore[reportOptionalMemberAccess]
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def note_death(self) -> None:
        """Keeps with the trial that it did, if any, that it was killed over it."""
        folder = self._trial_folder()
        if folder is not None:
            file = folder / DEATHS
            write_json(file, (read_json(file) if file.is_file() else 0) + 1)

    def _trial_folder(self) -> Path | None:
        file = self._study.search / "oracle.json"
        if not file.is_file():
            return None
        trial = read_json(file)["ongoing_trials"].get(self.name)
        folder = self._study.search / f"trial_{trial}"
        running = trial is not None and read_json(folder / "trial.json")["status"] == "RUNNING"
        return folder if running else None


def _make_parts(study: Study, command: Callable[[], Sequence[str]], workers: int) -> list[_Part]:
    if workers == 1:
        return [_Part(study, ALONE, command, {TUNER_ID: ALONE})]
    shared: dict[str, Any] = {ORACLE_IP: "127.0.0.1", ORACLE_PORT: str(_free_port())}
    threads = str(max(1, usable_cores() // workers))
    # Of a person's own settings, those count.
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        if name not in os.environ:
            shared[name] = threads
    return [
        _Part(study, name, command, {**shared, TUNER_ID: name})
        for name in [CHIEF, *worker_names(workers)]
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _count_ended(study: Study) -> int:
    return sum(result.status != "running" for result in read_results(study))


def command_line(*arguments: str) -> list[str]:
    """Returns the command that runs the command line in another process."""
    program = "from kerasdenoise.cli import main; main()"
    return [sys.executable, "-c", program, *arguments]
