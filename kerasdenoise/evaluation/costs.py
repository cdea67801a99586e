"""How long things take on a machine that also does others, and how much memory."""

from __future__ import annotations

import json
import os
import pickle
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kerasdenoise.errors import UsageError

# A process's peak starts at what its parent holds, which may be much: this one holds little.
_PARENT = """
import json, os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - start
print(json.dumps([os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss]))
"""

_CALL = "import pickle, sys; pickle.load(sys.stdin.buffer)()"

# Linux counts in KiB, macOS in bytes.
_UNIT = 1 if sys.platform == "darwin" else 1024


def time_in_turns(
    prepare: Mapping[str, Callable[[], Callable[[], object]]],
    rounds: int,
    *,
    least: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
    on_round: Callable[[int], None] = lambda number: None,
) -> dict[str, list[float]]:
    """Times things turn by turn, so that what else the machine does is the same for all.

    Args:
        prepare: By name, what returns the thing that is timed; called before each turn, and not
            timed. What it returns is let go after the turn.
        rounds: How many times each is timed, after once that is not counted.
        clock: Tells seconds; `time.process_time` counts no other program.
        least: Seconds that a turn takes at least: what is quicker is run again and again in it.
        on_round: Called before each round with its number, 0 for the one that is not counted.

    Returns:
        The seconds of each round, by name; the mean of the runs in a turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in prepare}
    for number in range(rounds + 1):
        on_round(number)
        for name, make in prepare.items():
            run = make()
            start = clock()
            times = 0
            while times == 0 or clock() - start < least:
                run()
                times += 1
            if number:
                seconds[name].append((clock() - start) / times)
            del run  # before the next one takes its memory
    return seconds


def median_ratio(seconds: Sequence[float], others: Sequence[float]) -> float:
    """How many times as long as others things took: the median over the rounds of one run."""
    return statistics.median(a / b for a, b in zip(seconds, others, strict=True))


def peak_memory(run: Callable[[], object], name: object) -> int | None:
    """Runs something in a process of its own, and returns what memory the process takes.

    Args:
        run: What to run. It is pickled: a function of a module, or a `functools.partial` of one.
        name: What to call it in errors.

    Returns:
        The process's peak of resident memory in bytes, Python and all that it imports included;
        None on Windows, which does not say.

    Raises:
        UsageError: It fails.
    """
    if sys.platform == "win32":
        return None
    # What can be imported here can be imported there.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    code, _, peak, errors = _run(
        [sys.executable, "-c", _CALL],
        input=pickle.dumps(run),
        stderr=subprocess.PIPE,
        env=environment,
    )
    if code:
        lines = errors.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise UsageError(name, f"cannot be run in a process of its own ({lines[-1]})")
    return peak


def run_command(command: Sequence[object], name: object) -> tuple[float, int]:
    """Runs a command, which is not possible on Windows.

    Args:
        command: The program and its arguments; the last line of what it prints must be complete.
        name: What to call it in errors.

    Returns:
        Its seconds, and its peak of resident memory in bytes.

    Raises:
        UsageError: It fails.
    """
    code, seconds, peak, _ = _run(command)
    if code:
        raise UsageError(name, f"failed with exit code {code}")
    return seconds, peak


def _run(command: Sequence[object], **options: Any) -> tuple[int, float, int, bytes]:
    """Returns exit code, seconds, bytes of memory, and what is caught of the errors."""
    program = [sys.executable, "-c", _PARENT, *map(str, command)]
    result = subprocess.run(program, stdout=subprocess.PIPE, check=True, **options)
    code, seconds, peak = json.loads(result.stdout.splitlines()[-1])
    return code, seconds, peak * _UNIT, result.stderr or b""
