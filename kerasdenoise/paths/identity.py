"""When two paths are one file, on any disk."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path


def identity(path: Path) -> tuple[object, ...]:
    """Returns the same for two paths to one file: links, and letters' case on some disks."""
    try:
        found = os.stat(path)  # noqa: PTH116 (a path of a plan is asked for thousands of times)
    except (OSError, ValueError):
        return (fold(os.path.realpath(path)),)
    return (found.st_dev, found.st_ino)


def is_of_file(identity: tuple[object, ...]) -> bool:
    """Whether what `identity` returned is of a path that leads to something."""
    return len(identity) == 2


def make_locator() -> Callable[[Path], str]:
    """Returns a function that resolves the links of a path's folder, but not the file's own.

    It asks the disk about each folder once.
    """
    folders: dict[str, str] = {}

    def locate(path: Path) -> str:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        return os.path.join(folders[folder], name)  # noqa: PTH118

    return locate


def fold(path: str) -> str:
    """Returns the same for two names that could be one file on some disk.

    Case and Unicode composition are ignored, as macOS, Windows and memory cards do.
    """
    return unicodedata.normalize("NFC", path).casefold()


def is_folder(path: str | Path) -> bool:
    """Whether a path is a folder, or a link to one."""
    return os.path.isdir(path)  # noqa: PTH112 (where a folder may not be searched, Path raises)
