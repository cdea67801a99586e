"""A file's content to disk: all of it or nothing, and never over another file unasked."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from pathlib import Path
from typing import BinaryIO

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


def store(data: bytes | memoryview, target: Path, *, overwrite: bool) -> None:
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


def _write_atomically(data: bytes | memoryview, target: Path, *, overwrite: bool) -> None:
    # Only the name's beginning: with all of it the temporary name could be too long.
    temporary = target.parent / f".{target.name[:32]}.{secrets.token_hex(4)}.tmp"
    try:
        if not _write_nameless(data, temporary, target, overwrite=overwrite):
            _write_hidden(data, temporary, target, overwrite=overwrite)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _write_nameless(
    data: bytes | memoryview, temporary: Path, target: Path, *, overwrite: bool
) -> bool:
    """Writes to a file that has no name before it is complete: of a killed process nothing stays.

    Returns:
        Whether the system and the disk know such files, as Linux does on its own disks.
    """
    try:
        descriptor = os.open(target.parent, os.O_WRONLY | os.O_TMPFILE, 0o666)
    except (AttributeError, OSError):  # what else may be wrong shows again in the other way
        return False
    with os.fdopen(descriptor, "wb") as stream:
        _write_out(data, stream)
        try:
            # Without a folder's descriptor Python would link the link instead of the file.
            os.link(
                f"/proc/self/fd/{descriptor}",
                temporary if overwrite else target,
                src_dir_fd=descriptor,
                follow_symlinks=True,
            )
        except FileExistsError:
            raise
        except OSError:  # there is no /proc
            return False
    if overwrite:
        temporary.replace(target)
    return True


def _write_hidden(
    data: bytes | memoryview, temporary: Path, target: Path, *, overwrite: bool
) -> None:
    """Writes to a hidden file first, which stays where the process is killed meanwhile."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # Unlike tempfile's, this mode leaves the file's permission to the user's umask.
    with os.fdopen(os.open(temporary, flags, 0o666), "wb") as stream:
        _write_out(data, stream)
    if overwrite:
        temporary.replace(target)
    else:
        _move_without_clobber(temporary, target)


def _write_out(data: bytes | memoryview, stream: BinaryIO) -> None:
    stream.write(data)
    stream.flush()
    os.fsync(stream.fileno())


def _move_without_clobber(temporary: Path, target: Path) -> None:
    """Gives a file its name, unless that name is taken, even if it was taken just now."""
    try:
        target.hardlink_to(temporary)
    except FileExistsError:
        raise
    except OSError:
        # No hard links on this file system. To reserve the name by an empty file would leave that
        # to whoever kills the process before the next line; this way, only a file that came to be
        # between these two lines could be replaced, and on Windows not even that.
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        temporary.rename(target)
