"""One search at a time in a study's folder."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from kerasdenoise.errors import UsageError

# A killed search's processes may need so long to notice, in seconds.
_PATIENCE = 15


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from the same folder, for as long as this one lives at most.

    Systems without POSIX file locks keep nobody out.

    Raises:
        UsageError: If another process works on it.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / ".lock").open("w") as file:
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    raise UsageError(
                        folder, "is being searched by another process", "wait for it or end it"
                    ) from error
                time.sleep(0.2)
        yield
