"""A file's content to disk: all of it or nothing, and never over another file unasked."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path

from kerasdenoise.errors import OutputError

_CAUSES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space left on the device", "free some space or write elsewhere with -o"),
    errno.EDQUOT: ("disk quota exceeded", "free some space or write elsewhere with -o"),
    errno.EACCES: ("permission denied", "write to a folder of your own with -o"),
    errno.EPERM: ("permission denied", "write to a folder of your own with -o"),
    errno.EROFS: ("the disk is read-only", "write elsewhere with -o"),
    errno.ENAMETOOLONG: ("the file name is too long", "give a shorter one with -o"),
    errno.ENOTDIR: ("a file stands where its folder should be", "write elsewhere with -o"),
    errno.EISDIR: ("is a folder", "give a file name with -o"),
    errno.EEXIST: ("exists already", "add --overwrite or --skip-existing"),
}


def store(data: bytes, target: Path, *, overwrite: bool) -> None:
    """Writes a file, and the folders on the way to it.

    Args:
        data: The file's content.
        target: Where to write it. The name appears only when the file is complete.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        OutputError: The file cannot be written; what was there before is unchanged.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_atomically(data, target, overwrite=overwrite)
    except FileExistsError as error:
        # Of a folder on the way, mkdir says that it exists when it is in truth a file.
        code = errno.EEXIST if target.parent.is_dir() else errno.ENOTDIR
        raise OutputError(target, *_CAUSES[code]) from error
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0)
        if cause is None:
            cause = (f"cannot be written ({error.strerror or error})", "write elsewhere with -o")
        raise OutputError(target, *cause) from error


def _write_atomically(data: bytes, target: Path, *, overwrite: bool) -> None:
    # Only the name's beginning: with all of it the temporary name could be too long.
    temporary = target.parent / f".{target.name[:32]}.{secrets.token_hex(4)}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # Unlike tempfile's, this mode leaves the file's permission to the user's umask.
    descriptor = os.open(temporary, flags, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            _move_without_clobber(temporary, target)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _move_without_clobber(temporary: Path, target: Path) -> None:
    """Gives a file its name, unless that name is taken, even if it was taken just now."""
    try:
        target.hardlink_to(temporary)
    except OSError:
        # Taken, which shows again here, or no hard links on this file system.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        try:
            temporary.replace(target)
        except BaseException:
            target.unlink()
            raise
