"""Writes files and folders completely or not at all, and overwrites nothing unasked."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from kerasdenoise.errors import OutputError, UsageError, list_names

# What an error of the system means, and what to do about it by an option for the place.
_CAUSES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space left on the device", "free some space or write elsewhere with {}"),
    errno.EDQUOT: ("disk quota exceeded", "free some space or write elsewhere with {}"),
    errno.EACCES: ("permission denied", "write to a folder of your own with {}"),
    errno.EPERM: ("permission denied", "write to a folder of your own with {}"),
    errno.EROFS: ("the disk is read-only", "write elsewhere with {}"),
    errno.ENAMETOOLONG: ("the file name is too long", "give a shorter one with {}"),
    errno.ENOTDIR: ("a file stands where its folder should be", "write elsewhere with {}"),
    errno.EISDIR: ("is a folder", "give a file name with {}"),
    errno.EEXIST: ("already exists", "add --overwrite or --skip-existing"),
}

# Bytes of a name on nearly all disks.
_LONGEST_NAME = 255

# Device and number of a file or link, which tell it from all others.
Identity = tuple[int, int]

ANY: Identity = (0, 0)
"""Whatever there is."""


def file_identity(path: Path) -> Identity | None:
    """Returns what tells a file or link from others; None where there is nothing of that name."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino


def check_name(target: Path) -> None:
    """Refuses a name that no disk takes, of a file or of a folder on the way to it.

    Raises:
        OutputError: It is too long.
    """
    if any(len(os.fsencode(part)) > _LONGEST_NAME for part in target.parts):
        raise _explain(target, OSError(errno.ENAMETOOLONG, ""), "-o")


def check_target(target: Path, *, overwrite: bool) -> Identity | None:
    """Rejects a file before the work if it could not be written afterwards.

    Args:
        target: The file.
        overwrite: Whether an existing one may be replaced.

    Returns:
        What `write_file` may replace after the work; None if nothing exists yet.

    Raises:
        UsageError: Its name is too long, it is a folder, it exists and may not be replaced, or its
            folder does not exist or may not be written to.
    """
    try:
        check_name(target)
    except OutputError as error:
        raise UsageError(target, error.cause, "give a shorter one") from error
    if os.path.isdir(target):  # noqa: PTH112 (where a folder may not be searched, Path raises)
        raise UsageError(target, "is a folder", "give a file name")
    refuse_existing([target], overwrite=overwrite, remedy="add --overwrite")
    if not os.path.isdir(target.parent):  # noqa: PTH112
        raise UsageError(target.parent, "no such folder", "create it, or choose another")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise UsageError(target.parent, "may not be written to", "choose another folder")
    return file_identity(target)


def refuse_existing(targets: Iterable[Path], *, overwrite: bool, remedy: str) -> None:
    """Rejects names that exist, even as broken links.

    Args:
        targets: Files or folders to be written.
        overwrite: Whether existing ones may be replaced.
        remedy: What to do if not.

    Raises:
        UsageError: One of them exists and may not be replaced.
    """
    taken = [] if overwrite else [target for target in targets if os.path.lexists(target)]
    if taken:
        raise UsageError(
            list_names(taken), "already exists" if len(taken) == 1 else "already exist", remedy
        )


def write_file(
    target: Path,
    content: bytes | memoryview | str,
    *,
    replaces: Identity | None = ANY,
    like: Path | None = None,
    option: str = "-o",
) -> None:
    """Writes a file, and the folders on the way to it.

    Args:
        target: Where to write it. The name appears only when the file is complete and on the disk.
        content: What to write; text is written as UTF-8.
        replaces: What alone may be replaced, as `file_identity` told when that was decided: the
            folder may since have become a link to others. None for nothing.
        like: The file it is made of, of which it gets the permissions, the time, and, where the
            system lets it, the owner and extended attributes.
        option: What on the command line gives another place.

    Raises:
        OutputError: The file cannot be written; what was there before is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    with _explained(target, option):
        target.parent.mkdir(parents=True, exist_ok=True)
        with _Place(target, replaces) as place:
            # Only the name's beginning: with all of it the temporary name could be too long.
            temporary = f".{target.name[:32]}.{secrets.token_hex(4)}.tmp"
            try:
                if not _write_nameless(data, temporary, place, like):
                    _write_hidden(data, temporary, place, like)
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(place.path(temporary), dir_fd=place.folder)
            place.flush()


def write_by(target: Path, write: Callable[[Path], object], *, option: str = "-o") -> None:
    """Lets a library write a file, in place of an existing one, and the folders on the way to it.

    Args:
        target: Where to write it. The name appears only when the file is complete and on the disk.
        write: Writes a file to the path that it is given, which has the suffix of `target`.
        option: What on the command line gives another place.

    Raises:
        OutputError: The file cannot be written; what was there before is unchanged.
    """
    with _explained(target, option):
        target.parent.mkdir(parents=True, exist_ok=True)
        name = f".{target.stem[:32]}.{secrets.token_hex(4)}{target.suffix}"
        temporary = target.with_name(name)
        try:
            write(temporary)
            _flush(temporary)
            with _Place(target, ANY) as place:
                place.move_in(name)
                place.flush()
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def new_folder(
    target: Path, *, replaces: Identity | None = None, option: str = "-o"
) -> Iterator[Path]:
    """Makes a folder to be filled, which gets its name once that is done without an error.

    A folder that is replaced is moved out of the way, and back should the new one fail.

    Args:
        target: The folder's name. Folders above it are made.
        replaces: What alone may be replaced, as `file_identity` told when that was decided; None
            if there was nothing.
        option: What on the command line gives another place.

    Yields:
        The folder to fill: beside `target`, with the last part of its name.

    Raises:
        OutputError: Nothing can be written there.
    """
    with contextlib.ExitStack() as stack:
        with _explained(target, option):
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = tempfile.TemporaryDirectory(prefix=f".{target.name[:32]}.", dir=target.parent)
            folder = Path(stack.enter_context(beside), target.name)
            folder.mkdir()
        with _explained(target, option):
            yield folder
        with _explained(target, option), _Place(target, replaces) as place:
            for path in folder.rglob("*"):
                if path.is_file() and not path.is_symlink():
                    _flush(path)
            replaced = folder.with_name(f"{target.name}.replaced")
            there = place.check()
            if there:
                target.rename(replaced)
            try:
                folder.rename(target)
            except BaseException:
                if there:
                    replaced.rename(target)
                raise
            place.flush()


def _flush(file: Path) -> None:
    """Brings a file's content to the disk; Windows does so only for files open for writing."""
    if os.name != "nt":
        with file.open("rb") as stream:
            os.fsync(stream.fileno())


@contextlib.contextmanager
def _explained(target: Path, option: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explain(target, error, option) from error


def _explain(target: Path, error: OSError, option: str) -> OutputError:
    code = error.errno or 0
    # Of a folder on the way, mkdir says that it exists when it is in truth a file.
    if isinstance(error, FileExistsError):
        code = errno.EEXIST if target.parent.is_dir() else errno.ENOTDIR
    other = (f"cannot be written ({error.strerror or error})", "write elsewhere with {}")
    cause, remedy = _CAUSES.get(code, other)
    return OutputError(target, cause, remedy.format(option))


class _Place:
    """The folder of a file, opened once: whatever its name leads to later, this one is written to.

    Args:
        target: The file.
        replaces: What may be replaced; None for nothing, so that the name must be free.

    Attributes:
        folder: The folder's descriptor, or None on systems that do not know such.
        name: The file's name.
        overwrites: Whether something may be replaced.
    """

    def __init__(self, target: Path, replaces: Identity | None) -> None:
        self._target = target
        self._replaces = replaces
        self.overwrites = replaces is not None
        self.name = target.name
        self.folder: int | None = None

    def __enter__(self) -> _Place:
        if os.open in os.supports_dir_fd:
            self.folder = os.open(self._target.parent, os.O_RDONLY | os.O_DIRECTORY)
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder is not None:
            os.close(self.folder)

    def path(self, name: str) -> str:
        """Returns what calls a file of this folder, beside its descriptor."""
        return name if self.folder is not None else os.path.join(self._target.parent, name)  # noqa: PTH118

    def check(self) -> bool:
        """Returns whether something has the name, which may be replaced.

        Raises:
            OutputError: Something else than what may be replaced has the name by now.
        """
        try:
            found = os.stat(self.path(self.name), dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:  # gone meanwhile, which is as good
            return False
        if self._replaces not in (ANY, (found.st_dev, found.st_ino)):
            raise OutputError(
                self._target,
                "appeared or was replaced since the command began",
                "check it and its folder, then run the command again",
            )
        return True

    def move_in(self, temporary: str) -> None:
        """Gives a complete file its name, in place of what may be replaced.

        Raises:
            OutputError: Something else has that name by now.
        """
        self.check()
        self._rename(temporary, self.name)

    def flush(self) -> None:
        """Brings the names in the folder to the disk, where the system can."""
        if self.folder is not None:
            with contextlib.suppress(OSError):
                os.fsync(self.folder)

    def link_in(self, temporary: str) -> None:
        """Gives a complete file its name, unless that is taken, even if it was taken just now."""
        folder = self.folder
        try:
            os.link(
                self.path(temporary), self.path(self.name), src_dir_fd=folder, dst_dir_fd=folder
            )
        except FileExistsError:
            raise
        except OSError:
            # No hard links on this file system. To reserve the name by an empty file would leave
            # that to whoever kills the process before the next line; this way, only a file that
            # came to be between these lines could be replaced, and on Windows not even that.
            try:
                os.stat(self.path(self.name), dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                self._rename(temporary, self.name)
                return
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from None

    def _rename(self, name: str, new: str) -> None:
        rename = os.replace if self.overwrites else os.rename
        rename(self.path(name), self.path(new), src_dir_fd=self.folder, dst_dir_fd=self.folder)


def _write_nameless(
    data: bytes | memoryview, temporary: str, place: _Place, like: Path | None
) -> bool:
    """Writes to a file that has no name before it is complete: of a killed process nothing stays.

    Returns:
        Whether the system and the disk know such files, as Linux does on its own disks.
    """
    try:
        descriptor = os.open(".", os.O_WRONLY | os.O_TMPFILE, 0o666, dir_fd=place.folder)
    except (AttributeError, OSError):  # what else may be wrong shows again in the other way
        return False
    with os.fdopen(descriptor, "wb") as stream:
        _write_out(data, stream, like)
        try:
            # Without a folder's descriptor Python would link the link instead of the file.
            os.link(
                f"/proc/self/fd/{descriptor}",
                temporary if place.overwrites else place.name,
                src_dir_fd=descriptor,
                dst_dir_fd=place.folder,
                follow_symlinks=True,
            )
        except FileExistsError:
            raise
        except OSError:  # there is no /proc
            return False
    if place.overwrites:
        place.move_in(temporary)
    return True


def _write_hidden(
    data: bytes | memoryview, temporary: str, place: _Place, like: Path | None
) -> None:
    """Writes to a hidden file first, which stays where the process is killed meanwhile."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    # Unlike tempfile's, this mode leaves the file's permission to the user's umask.
    descriptor = os.open(place.path(temporary), flags, 0o666, dir_fd=place.folder)
    with os.fdopen(descriptor, "wb") as stream:
        _write_out(data, stream, like)
    if place.overwrites:
        place.move_in(temporary)
    else:
        place.link_in(temporary)


def _write_out(data: bytes | memoryview, stream: BinaryIO, like: Path | None) -> None:
    stream.write(data)
    stream.flush()
    if like is not None:
        _make_like(like, stream.fileno())
    os.fsync(stream.fileno())


def _make_like(source: Path, descriptor: int) -> None:
    """Gives a file the attributes of another, as far as the system and the disk let it."""
    if os.utime not in os.supports_fd:  # as on Windows
        return
    try:
        found = source.stat()
    except OSError:  # gone meanwhile
        return
    with contextlib.suppress(OSError):
        os.fchown(descriptor, found.st_uid, found.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(descriptor, found.st_mode & 0o777)
    with contextlib.suppress(OSError, AttributeError):  # only Linux has them here
        for name in os.listxattr(source):
            if name.startswith("user."):
                with contextlib.suppress(OSError):
                    os.setxattr(descriptor, name, os.getxattr(source, name))
    with contextlib.suppress(OSError):
        os.utime(descriptor, ns=(found.st_atime_ns, found.st_mtime_ns))
