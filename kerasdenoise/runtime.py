"""The only place that prepares TensorFlow and Keras, and that silences native libraries."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Hides what native code writes to the process's standard error.

    TensorFlow's and LiteRT's start-up lines are written by C++ to file descriptor 2, where
    no Python setting reaches them. Python's own `sys.stderr` is muted as well while inside.
    """
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (AttributeError, OSError, ValueError):  # no usable stderr: nothing to hide
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


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
