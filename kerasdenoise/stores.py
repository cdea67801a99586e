"""Files in stores with an address, such as s3://bucket/photos, by fsspec; a file appears whole.

fsspec is imported only when an address is used.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path, PosixPath
from typing import Any

from kerasdenoise.errors import InputError, KerasDenoiseError, OutputError, UsageError
from kerasdenoise.files import write_file

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^/]")

# Stores that show a file only when all of it has arrived. Elsewhere it is renamed when complete.
_SHOW_WHOLE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "adl"}

_REMEDY = "check the address, and that the store can be reached"


class Address(PosixPath):
    """A file or folder in a store, such as s3://bucket/photos/a.jpg.

    It is a path that the disk does not know: its parts (the first is `s3:`), suffix, parent and
    joins are those of any path, and only the functions of this module find its file.
    """

    __slots__ = ()

    def __str__(self) -> str:
        first, *others = self.parts or (".",)
        if first.endswith(":"):
            return f"{first}//{'/'.join(others)}"
        return "/".join([first, *others])

    def __fspath__(self) -> str:
        return str(self)


def is_address(text: object) -> bool:
    """Whether a text names a file or folder in a store."""
    return _ADDRESS.match(str(text)) is not None


def as_path(text: str | os.PathLike[str]) -> Path:
    """Returns the address, or else the path, that a text is."""
    return Address(os.fspath(text)) if is_address(os.fspath(text)) else Path(text)


def list_files(folder: Address, *, recursive: bool = True) -> Iterator[tuple[Address, bool]]:
    """Lists what is below an address, in alphabetical order.

    Args:
        folder: A folder; a file is listed itself.
        recursive: Whether to list the files of folders in the folder, and not those folders.

    Yields:
        An address, and whether it is a folder.

    Raises:
        UsageError: The address cannot be listed.
    """
    with _explained(folder, UsageError, "listed"):
        system, root = _open(folder)
        found: list[tuple[str, bool]] = []
        with contextlib.suppress(FileNotFoundError):  # in many stores an empty folder is none
            if recursive:
                found = [(name, False) for name in system.find(root)]
            else:
                entries = system.ls(root, detail=True)
                found = [(entry["name"], entry["type"] == "directory") for entry in entries]
    start = root.rstrip("/")
    for name, is_folder in sorted(found):
        below = name.removeprefix(start).strip("/")
        if name == start or below:
            yield (folder / below if below else folder), is_folder


def exists(path: Path) -> bool:
    """Whether something has this name, even a broken link.

    Raises:
        OutputError: The store cannot be asked.
    """
    if not isinstance(path, Address):
        return os.path.lexists(path)
    with _explained(path, OutputError, "read"):
        system, name = _open(path)
        return system.exists(name)


def read_bytes(path: Path) -> bytes:
    """Returns a file's content.

    Raises:
        InputError: It cannot be read from its store.
    """
    if not isinstance(path, Address):
        return path.read_bytes()
    with _explained(path, InputError, "read"):
        system, name = _open(path)
        return system.cat_file(name)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file, in place of an existing one; it appears only when it is complete.

    Raises:
        OutputError: It cannot be written.
    """
    if not isinstance(path, Address):
        write_file(path, content)
        return
    with _explained(path, OutputError, "written"):
        system, name = _open(path)
        if path.parts[0].rstrip(":").lower() in _SHOW_WHOLE:
            system.pipe_file(name, content)
            return
        folder, _, last = name.rpartition("/")
        temporary = f"{folder}/.{last[:32]}.{secrets.token_hex(4)}.tmp"
        system.makedirs(folder, exist_ok=True)
        try:
            system.pipe_file(temporary, content)
            if system.exists(name):  # over which some stores rename nothing
                system.rm_file(name)
            system.mv(temporary, name)
        except BaseException:
            with contextlib.suppress(Exception):
                system.rm_file(temporary)
            raise


def remove(path: Path) -> None:
    """Removes a file, if it exists.

    Raises:
        OutputError: It cannot be removed from its store.
    """
    if not isinstance(path, Address):
        path.unlink(missing_ok=True)
        return
    with _explained(path, OutputError, "removed"), contextlib.suppress(FileNotFoundError):
        system, name = _open(path)
        system.rm_file(name)


def _open(address: Address) -> tuple[Any, str]:
    """Returns the file system of an address, and its name there."""
    import fsspec

    # Others write there too, so that no listing is kept.
    return fsspec.url_to_fs(str(address), use_listings_cache=False)


@contextlib.contextmanager
def _explained(address: Address, kind: type[KerasDenoiseError], doing: str) -> Iterator[None]:
    try:
        yield
    except KerasDenoiseError:
        raise
    except ImportError as error:
        missing = error.name or str(error)
        remedy = 'run pip install "kerasdenoise[scale]", or install the package of this store'
        raise UsageError(address, f"needs a missing package ({missing})", remedy) from error
    except FileNotFoundError as error:
        raise kind(address, "does not exist", "check the address") from error
    except PermissionError as error:
        remedy = "check the credentials, and the rights that they give"
        raise kind(address, "access is denied", remedy) from error
    except Exception as error:  # each store's library has its own errors
        cause = " ".join(str(error).split())[:200] or type(error).__name__
        if "redential" in f"{type(error).__name__} {cause}":
            remedy = "set them as the store's own tools take them, such as AWS_ACCESS_KEY_ID"
            raise kind(address, f"has no credentials ({cause})", remedy) from error
        raise kind(address, f"cannot be {doing} ({cause})", _REMEDY) from error
