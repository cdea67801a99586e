"""Denoises a photo from standard input or to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from kerasdenoise.cli.report import say
from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.errors import InputError, OutputError, UsageError
from kerasdenoise.files import Identity, check_target
from kerasdenoise.images.formats import known_suffixes
from kerasdenoise.paths.template import can_be_written


def denoise_stream(
    inputs: Sequence[str], output: str | None, treatment: Treatment, *, quiet: bool
) -> None:
    """Denoises one photo from or to a pipe.

    Args:
        inputs: One file, or `-` for standard input.
        output: A file, or None to write to standard output in the photo's own format.
        treatment: How it is read, denoised and written.
        quiet: Print only errors.

    Raises:
        UsageError: There are several inputs, the output's suffix is unknown, the file already
            exists, or standard output is a terminal.
        InputError: The photo cannot be read.
        OutputError: The result cannot be written.
    """
    if len(inputs) > 1:
        raise UsageError(
            "-", f"must be the only input, not one of {len(inputs)}", "remove the others"
        )
    replaces = _check(output, overwrite=treatment.overwrite)
    (source,) = inputs
    if source == "-":
        name = "standard input"
        if sys.stdin is None:
            raise InputError(name, "is closed", "add < photo.png")
        photo = treatment.read(sys.stdin.buffer.read(), name, to_write=True)
    else:
        name = source
        photo = treatment.read(Path(source), to_write=True)
    denoised = treatment.denoise(photo, name=name)
    if output is None:
        content, notes = treatment.encode(denoised)
        _print(content)
    else:
        _, notes = treatment.write(denoised, Path(output), replaces)
    for note in () if quiet else notes:
        say(f"{name}: {note}")


def _print(content: bytes) -> None:
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise  # the reader has closed the pipe
    except OSError as error:
        raise OutputError("standard output", f"cannot be written ({error.strerror})") from error


def _check(output: str | None, *, overwrite: bool) -> Identity | None:
    if output is None:
        if sys.stdout is None:
            raise UsageError("standard output", "is closed", "add > photo.png, or give -o")
        if sys.stdout.isatty():
            raise UsageError("standard output", "is a terminal", "add > photo.png, or give -o")
        return None
    if output.endswith(os.sep) or not can_be_written(output):
        raise UsageError(output, "does not name an image file", f"use one of {known_suffixes()}")
    return check_target(Path(output), overwrite=overwrite)
