"""The only place that prepares TensorFlow, Keras and Matplotlib, and that silences them."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Descriptor 2 belongs to all threads: only one at a time may put something in its place.
_stderr = threading.RLock()


def free_memory() -> int | None:
    """Returns the bytes that this process may still take; None where the system does not say.

    On Linux that is what the machine has available, or what a container's limit leaves. Elsewhere
    it is half of the machine's memory.
    """
    found = [_left(folder) for folder in _control_groups()]
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                found.append(int(line.split()[1]) * 1024)
    except (OSError, ValueError, IndexError):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # not on Windows
            found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min((each for each in found if each is not None), default=None)


def memory_text(size: int) -> str:
    """Writes an amount of memory as `--max-memory` takes it, such as `35M`; never less than it is.

    Args:
        size: Bytes.
    """
    unit, letter = next(
        (each for each in ((10**9, "G"), (10**6, "M"), (10**3, "K")) if size >= each[0]), (1, "")
    )
    thousandths = -(-size * 1000 // unit)
    return f"{thousandths / 1000:.15g}{letter}"


def usable_cores() -> int:
    """Returns how many threads may run at once: fewer than the machine has cores in a container."""
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    for folder in _control_groups():
        try:
            quota, period = (folder / "cpu.max").read_text("ascii").split()
            cores = min(cores, max(1, -(-int(quota) // int(period))))
        except (OSError, ValueError):  # there is none, or it says max
            continue
    return cores


def _control_groups() -> list[Path]:
    """Returns the folders of this process's control groups (version 2), the innermost first."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    own = next((line[3:] for line in lines if line.startswith("0::")), None)
    if own is None:
        return []
    inner = root / own.strip("/")
    return [inner, *(each for each in inner.parents if each.is_relative_to(root))]


def _left(folder: Path) -> int | None:
    """Returns what the limit of a control group leaves; files that it cached can be given back."""
    try:
        limit = int((folder / "memory.max").read_text("ascii"))
        used = int((folder / "memory.current").read_text("ascii"))
        statistics = dict(
            line.split() for line in (folder / "memory.stat").read_text("ascii").splitlines()
        )
        return max(0, limit - used + int(statistics.get("inactive_file", 0)))
    except (OSError, ValueError):  # there is none, or it says max
        return None


@contextlib.contextmanager
def replace_stderr(descriptor: int) -> Iterator[bool]:
    """Sends what anybody writes to the process's standard error to another file for a while.

    Other threads that want the same wait until it is over.

    Args:
        descriptor: An open file.

    Yields:
        Whether it is so; without a usable standard error there is nothing to replace.
    """
    with _stderr:
        try:
            sys.stderr.flush()
            saved = os.dup(2)
        except (AttributeError, OSError, ValueError):
            yield False
            return
        try:
            os.dup2(descriptor, 2)
            yield True
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def sift_stderr(*words: bytes) -> Iterator[list[bytes]]:
    """Collects what a library writes to the process's standard error, rather than showing it.

    What others write meanwhile, such as a progress bar, is shown afterwards.

    Args:
        *words: What a line of the library has in it, one of them.

    Yields:
        A list that afterwards holds the library's lines, if there were any.
    """
    found: list[bytes] = []
    with tempfile.TemporaryFile() as file:
        with replace_stderr(file.fileno()) as replaced:
            yield found
        if not replaced:
            return
        file.seek(0)
        for line in file.read(2**16).splitlines(keepends=True):
            if any(each in line for each in words):
                found.append(line)
            else:
                os.write(2, line)


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hides what native code writes to the process's standard error.

    TensorFlow's and LiteRT's start-up lines are written by C++ to file descriptor 2, where
    no Python setting reaches them. Python's own `sys.stderr` is muted as well while inside.
    """
    with Path(os.devnull).open("wb") as null, replace_stderr(null.fileno()):
        yield


def prepare_keras() -> None:
    """Imports Keras quietly, on TensorFlow unless `KERAS_BACKEND` names another backend.

    Call it before importing any module that imports Keras. Later calls cost nothing.
    """
    if "keras" in sys.modules:
        return
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr():
        import keras  # noqa: F401


@contextlib.contextmanager
def keras_defaults() -> Iterator[None]:
    """Lets Keras build with channels last and weights in float32, whatever a keras.json says.

    What a layer is built with stays its own. A policy of mixed precision has weights in float32
    and is kept. The settings are those of the whole process and return to what they were, so that
    a user's own layers are what the user wants them to be. Works as a decorator as well.
    """
    prepare_keras()
    import keras

    data_format, floatx = keras.config.image_data_format(), keras.config.floatx()
    policy = keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    if policy.variable_dtype != "float32":
        keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_image_data_format(data_format)
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


def make_figure(width: float, height: float) -> Figure:
    """Makes an empty figure of Matplotlib's that needs no display.

    What Matplotlib says about the fonts of this machine does not reach standard error, which
    belongs to the progress of the command that draws.

    Args:
        width: In inches.
        height: In inches.
    """
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    from matplotlib.figure import Figure  # not pyplot, which would look for a display

    return Figure(figsize=(width, height), layout="constrained")
