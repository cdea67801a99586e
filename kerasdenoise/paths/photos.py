"""The photos in folders and behind patterns, and how much else there was."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kerasdenoise.errors import UsageError
from kerasdenoise.images.formats import format_of_suffix
from kerasdenoise.paths.identity import is_folder, make_locator
from kerasdenoise.stores import Address, as_path, is_address, list_files


@dataclass
class Found:
    """What was named, and what stands in the folders that were named.

    Attributes:
        photos: Files, in the order of what was named, by name within a folder. One that was
            named itself is among them whatever it is, and whether it exists or not.
        roots: For each photo that was found in a folder, and not named itself, the folder that
            was named.
        hidden: The number of hidden files and folders that were left out.
        others: The number of files that were left out as their suffix is that of no photo, or as
            they are pipes or devices.
        folders: The number of folders in folders that were left out.
        unreadable: The number of folders in folders that may not be read.
    """

    photos: list[Path] = field(default_factory=list)
    roots: dict[Path, Path] = field(default_factory=dict)
    hidden: int = 0
    others: int = 0
    folders: int = 0
    unreadable: int = 0


class NoPhotosError(UsageError):
    """Folders hold no photos."""


def find_photos(
    inputs: Sequence[str], *, recursive: bool = False, output: str | None = None
) -> Found:
    """Looks into folders, and expands patterns that no shell has expanded.

    In a folder, names that begin with a dot are hidden, and links to folders are not followed.

    Args:
        inputs: Files, folders and patterns such as `shoot/*.jpg`, in which `**` stands for any
            number of folders. What exists by its name is no pattern. Addresses of folders and
            files in stores are no patterns either.
        recursive: Whether the folders in folders are looked into as well.
        output: Where results are written. It is not looked into where it is a folder within
            another.

    Raises:
        UsageError: A name is empty, a pattern matches nothing, or a folder or an address cannot
            be read.
        NoPhotosError: Folders hold no photos at all.
    """
    found = Found()
    results = os.path.realpath(output) if output and is_folder(output) else None
    folders, named = [], []
    for path in _expand(inputs):
        if isinstance(path, Address):
            if _look_into_store(path, found, recursive=recursive, output=output):
                folders.append(path)
            else:
                named.append(path)
        elif is_folder(path):
            folders.append(path)
            _look_into(path, path, found, recursive=recursive, results=results)
        else:
            found.photos.append(path)
            named.append(path)
    locate = make_locator()
    places = {locate(path) for path in named}
    found.roots = {path: root for path, root in found.roots.items() if locate(path) not in places}
    if folders and not found.photos:
        inside = "add -r for the folders in it" if found.folders else "check the path"
        raise NoPhotosError(folders[0], "contains no photos", inside)
    return found


def _expand(inputs: Sequence[str]) -> Iterator[Path]:
    for text in inputs:
        if not text:  # a shell variable that is not set; as a path it were this folder
            raise UsageError("an input", "is empty", "name a file, or . for this folder")
        if is_address(text) or os.path.lexists(text) or not glob.has_magic(text):
            yield as_path(text)
            continue
        matches = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 (`**/` at the end)
        if not matches:
            raise UsageError(text, "matches no file", "check the path")
        yield from map(Path, matches)


def _look_into(
    folder: Path, root: Path, found: Found, *, recursive: bool, results: str | None
) -> None:
    inside = []
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        if folder != root:  # the others are done
            found.unreadable += 1
            return
        raise UsageError(
            folder, f"cannot be read ({error.strerror})", "make it readable, or leave it out"
        ) from error
    for entry in listed:
        if entry.name.startswith("."):
            found.hidden += 1
        elif _is_folder(entry):
            inside.append(entry)
        elif format_of_suffix(entry.name) is None or _is_device(entry):
            found.others += 1
        else:
            path = folder / entry.name
            found.photos.append(path)
            found.roots.setdefault(path, root)
    for entry in inside:
        path = folder / entry.name
        if results is not None and os.path.realpath(path) == results:
            continue
        if recursive and not entry.is_symlink():
            _look_into(path, root, found, recursive=recursive, results=results)
        else:
            found.folders += 1


def _look_into_store(root: Address, found: Found, *, recursive: bool, output: str | None) -> bool:
    """Returns whether an address is a folder, and not a file."""
    results = None if output is None else as_path(output)
    for path, holds_others in list_files(root, recursive=recursive):
        if path == root:
            found.photos.append(path)
            return False
        if results is not None and path.is_relative_to(results) and results != root:
            continue
        if any(part.startswith(".") for part in path.relative_to(root).parts):
            found.hidden += 1
        elif holds_others:
            found.folders += 1
        elif format_of_suffix(path) is None:
            found.others += 1
        else:
            found.photos.append(path)
            found.roots.setdefault(path, root)
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle; it fails at its turn, and no other with it
        return False


def _is_device(entry: os.DirEntry[str]) -> bool:
    """Whether it is a pipe, a socket or a device, of which reading might never end."""
    try:
        return not entry.is_file() and os.path.exists(entry.path)  # noqa: PTH110 (as is_folder)
    except OSError:
        return False
