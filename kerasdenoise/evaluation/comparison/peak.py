"""How much memory something takes, measured where nothing else runs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable

from kerasdenoise.errors import UsageError

# A process's peak starts at what its parent holds, which may be much: one in between that holds
# little.
_BETWEEN = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"

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
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return int(result.stdout.split()[-1]) * unit
