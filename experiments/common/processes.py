"""Trainings side by side, each a process pinned to cores of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue


def run_each(
    script: str,
    each: Mapping[str, Sequence[str]],
    arguments: argparse.Namespace,
    options: Sequence[str],
    logs: Path,
) -> None:
    """Runs an experiment again for each of its trainings, and says how each ended.

    As many run at a time as the experiment's option `--jobs` says; each gets its share of the
    cores.

    Args:
        script: The experiment's file, which takes the option `--one`.
        each: What follows `--one`, by what it is called.
        arguments: The experiment's own.
        options: Names of those that are passed on.
        logs: Folder for what they print, in files named as they are called.
    """
    jobs = arguments.jobs
    passed = [f"--{name}={getattr(arguments, name)}" for name in options]
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
                    [sys.executable, script, "--one", *each[name], *passed],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    check=False,
                    preexec_fn=lambda: os.sched_setaffinity(0, mine),
                ).returncode
        finally:
            free.put(mine)
        print(f"{name}: exit {code} after {time.monotonic() - started:.0f} s", flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, each))
