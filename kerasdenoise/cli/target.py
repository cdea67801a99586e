"""Rejects an output file before the work if writing it would fail."""

from __future__ import annotations

from pathlib import Path

from kerasdenoise.errors import UsageError


def check_target(target: Path, *, overwrite: bool) -> None:
    """Checks that a file can be written.

    Args:
        target: The file.
        overwrite: Whether an existing file may be replaced.

    Raises:
        UsageError: It is a folder, it exists and may not be replaced, or its folder does not
            exist.
    """
    if target.is_dir():
        raise UsageError(target, "is a folder", "give a file name")
    if target.exists() and not overwrite:
        raise UsageError(target, "exists already", "add --overwrite")
    if not target.parent.is_dir():
        raise UsageError(target.parent, "no such folder", "create it, or choose another")
