"""The only place that prepares TensorFlow, Keras and Matplotlib, and that silences them."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Descriptor 2 belongs to all threads: only one at a time may put something in its place.
_stderr = threading.RLock()


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
