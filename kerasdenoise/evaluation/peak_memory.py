"""How much memory something takes, measured where nothing else runs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from kerasdenoise.errors import UsageError

# A process's peak starts at what its parent holds, which may be much: one in between that holds
# little.
_BETWEEN = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"

# Linux counts in KiB, macOS in bytes.
_UNIT = 1 if sys.platform == "darwin" else 1024

_PROGRAM = """
import pickle, resource, sys
pickle.load(sys.stdin.buffer)()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


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
    program = [sys.executable, "-c", _PROGRAM]
    result = subprocess.run(
        [sys.executable, "-c", _BETWEEN, *program],
        input=pickle.dumps(run),
        capture_output=True,
        check=False,
        # What can be imported here can be there.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    if result.returncode:
        lines = result.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise UsageError(name, f"cannot be run in a process of its own ({lines[-1]})")
    return int(result.stdout.split()[-1]) * _UNIT


def run_command(command: Sequence[object], name: object) -> tuple[float, int]:
    """Runs a command, which is not on Windows.

    Returns:
        Its seconds, and its peak of resident memory in bytes. That starts at what this process
        holds, which therefore should hold little.

    Raises:
        UsageError: It fails.
    """
    start = time.perf_counter()
    process = subprocess.Popen([str(part) for part in command])
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise UsageError(name, f"failed with exit code {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss * _UNIT
