"""Trainings side by side, each a process pinned to cores of its own."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue


def run_processes(commands: Mapping[str, Sequence[str]], jobs: int, logs: Path) -> None:
    """Runs commands, as many at a time as jobs, and says how each ended.

    Args:
        commands: Programs and their arguments, by what they are called.
        jobs: How many run at a time; each gets its share of the cores.
        logs: Folder for what they print, in files named as they are called.
    """
    cores = sorted(os.sched_getaffinity(0))
    share = max(1, len(cores) // jobs)
    free: SimpleQueue[set[int]] = SimpleQueue()
    for job in range(jobs):
        free.put(set(cores[job * share : (job + 1) * share]) or set(cores))

    def run(name: str) -> None:
        mine = free.get()
        started = time.monotonic()
        try:
            with (logs / f"{name}.log").open("w") as log:
                code = subprocess.run(
                    commands[name],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=False,
                    preexec_fn=lambda: os.sched_setaffinity(0, mine),
                ).returncode
        finally:
            free.put(mine)
        print(f"{name}: exit {code} after {time.monotonic() - started:.0f} s", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, commands))


def write_whole(file: Path, text: str) -> None:
    """Writes a file in one move: one that is there is complete."""
    temporary = file.with_suffix(".tmp")
    temporary.write_text(text, "utf-8")
    temporary.replace(file)
