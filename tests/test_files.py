from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasdenoise.errors import OutputError, UsageError
from kerasdenoise.files import (
    ANY,
    check_target,
    file_identity,
    new_folder,
    refuse_existing,
    write_by,
    write_file,
)

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has nameless files")
needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="not so on Windows")


def _fail(error: BaseException) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.fixture(
    params=[pytest.param("nameless", marks=needs_linux), "hard links", "no hard links", "no proc"]
)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each way in which a file can get its name, by what the system and the disk know."""
    if request.param in ("hard links", "no hard links"):
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", _fail(OSError(errno.EPERM, "no links here")))
    if request.param == "no proc":
        link = os.link

        def link_names(source: os.PathLike[str] | str, *rest: object, **options: object) -> None:
            if str(source).startswith("/proc/"):
                raise FileNotFoundError(errno.ENOENT, "no such file")
            link(source, *rest, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "link", link_names)
    return request.param


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_missing_folders_are_made(way: str, tmp_path: Path):
    write_file(tmp_path / "x" / "y" / "a.png", b"new", replaces=None)
    assert content(tmp_path / "x" / "y") == {"a.png": b"new"}


def test_any_buffer_will_do(way: str, tmp_path: Path):
    write_file(tmp_path / "a.png", memoryview(bytearray(b"new")), replaces=None)
    assert content(tmp_path) == {"a.png": b"new"}


@needs_posix
@pytest.mark.parametrize("overwrite", [False, True])
def test_permissions_follow_the_umask(way: str, tmp_path: Path, overwrite: bool):
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "a.png", b"new", replaces=ANY if overwrite else None)
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def test_a_long_name_is_no_obstacle(way: str, tmp_path: Path):
    target = tmp_path / f"{'ü' * 120}.png"
    write_file(target, b"new", replaces=None)
    write_file(target, b"newer")
    assert content(tmp_path) == {target.name: b"newer"}
    with pytest.raises(OutputError, match=r"name .*too long"):
        write_file(tmp_path / f"{'a' * 300}.png", b"new", replaces=None)


def test_an_existing_file_stays_unless_overwriting(way: str, tmp_path: Path):
    target = tmp_path / "a.png"
    write_file(target, b"first", replaces=None)
    with pytest.raises(OutputError, match=r"exists.*; .*--overwrite"):
        write_file(target, b"second", replaces=None)
    assert content(tmp_path) == {"a.png": b"first"}
    write_file(target, b"second")
    assert content(tmp_path) == {"a.png": b"second"}


def test_a_file_that_appears_meanwhile_is_not_replaced(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    target = tmp_path / "a.png"
    monkeypatch.setattr(os, "fsync", lambda _: target.write_bytes(b"somebody else's"))
    with pytest.raises(OutputError, match="already exists"):
        write_file(target, b"new", replaces=None)
    assert content(tmp_path) == {"a.png": b"somebody else's"}


@pytest.mark.parametrize(
    ("error", "raised", "text"),
    [
        (OSError(errno.ENOSPC, "No space left"), OutputError, "no space left on the device; free"),
        (OSError(errno.EDQUOT, "Quota"), OutputError, "disk quota exceeded"),
        (OSError(errno.EIO, "I/O error"), OutputError, r"cannot be written \(I/O error\)"),
        (KeyboardInterrupt("stop"), KeyboardInterrupt, "stop"),
    ],
)
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("place", ["fsync", "rename"])
def test_a_failure_leaves_nothing_behind(
    way: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    overwrite: bool,
    error: BaseException,
    raised: type[BaseException],
    text: str,
):
    target = tmp_path / "a.png"
    if overwrite:
        target.write_bytes(b"old")
    elif place == "rename" and way != "no hard links":
        pytest.skip("nothing is renamed")
    if place == "fsync":
        monkeypatch.setattr(os, "fsync", _fail(error))
    else:
        monkeypatch.setattr(os, "replace" if overwrite else "rename", _fail(error))
    with pytest.raises(raised, match=text):
        write_file(target, b"new", replaces=ANY if overwrite else None)
    assert content(tmp_path) == ({"a.png": b"old"} if overwrite else {})


_KILLED = """
import os, signal, sys
from pathlib import Path
from kerasdenoise.files import ANY, write_file

folder, place, named, overwrite = sys.argv[1:]
def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)
def fail(*_, **__): raise PermissionError("no links here")
if named == "True":
    del os.O_TMPFILE
    os.link = fail
setattr(os, place, die)
write_file(Path(folder, "a.png"), b"new", replaces=ANY if overwrite == "True" else None)
"""


@needs_linux
@pytest.mark.parametrize(
    ("place", "named", "overwrite", "hidden"),
    [
        ("fsync", False, False, 0),
        ("link", False, False, 0),
        ("fsync", False, True, 0),
        ("link", False, True, 0),
        ("replace", False, True, 1),  # an instant: complete, but for its name
        ("fsync", True, False, 1),
        ("rename", True, False, 1),
        ("replace", True, True, 1),
    ],
)
def test_a_kill_leaves_nothing_under_the_name_and_where_it_can_nothing_at_all(
    tmp_path: Path, place: str, named: bool, overwrite: bool, hidden: int
):
    if overwrite:
        (tmp_path / "a.png").write_bytes(b"old")
    arguments = [tmp_path, place, named, overwrite]
    command = [sys.executable, "-c", _KILLED, *map(str, arguments)]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    left = content(tmp_path)
    assert left.pop("a.png", None) == (b"old" if overwrite else None)
    assert len(left) == hidden
    assert all(name.startswith(".a.png.") for name in left)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
):
    monkeypatch.setattr(os, "open", _fail(OSError(code, os.strerror(code))))
    with pytest.raises(OutputError, match=r"permission denied|read-only") as caught:
        write_file(tmp_path / "a.png", b"new", replaces=None)
    assert "-o" in caught.value.remedy


@pytest.mark.parametrize("target", ["file/a.png", "file/deeper/a.png"])
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_where_the_folder_should_be(way: str, tmp_path: Path, target: str, overwrite: bool):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(OutputError, match=r"file .*folder"):
        write_file(tmp_path / target, b"new", replaces=ANY if overwrite else None)
    assert (tmp_path / "file").read_bytes() == b"old"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_where_the_file_should_be(way: str, tmp_path: Path, overwrite: bool):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError):
        write_file(tmp_path / "a.png", b"new", replaces=ANY if overwrite else None)
    assert [path.name for path in tmp_path.rglob("*")] == ["a.png"]


@needs_posix
def test_overwriting_a_link_leaves_what_it_points_to(way: str, tmp_path: Path):
    original = tmp_path / "original.png"
    original.write_bytes(b"original")
    link = tmp_path / "a.png"
    link.symlink_to(original)
    write_file(link, b"new")
    assert original.read_bytes() == b"original"
    assert not link.is_symlink()
    assert link.read_bytes() == b"new"


@needs_posix
def test_a_link_to_nothing_is_a_name_that_is_taken(way: str, tmp_path: Path):
    link = tmp_path / "a.png"
    link.symlink_to(tmp_path / "nothing")
    with pytest.raises(OutputError, match="already exists"):
        write_file(link, b"new", replaces=None)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@needs_posix
@pytest.mark.parametrize("existed", [False, True])
def test_a_folder_that_became_a_link_to_the_photos_costs_none(
    way: str, tmp_path: Path, existed: bool
):
    photos, results = tmp_path / "photos", tmp_path / "results"
    photos.mkdir()
    results.mkdir()
    (photos / "a.png").write_bytes(b"original")
    if existed:
        (results / "a.png").write_bytes(b"old result")
    planned = file_identity(results / "a.png")
    results.rename(tmp_path / "away")
    results.symlink_to(photos)
    with pytest.raises(OutputError):
        write_file(results / "a.png", b"new", replaces=planned)
    assert content(photos) == {"a.png": b"original"}


@needs_posix
def test_a_folder_that_is_swapped_meanwhile_is_still_the_one_that_is_written_to(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    photos, results = tmp_path / "photos", tmp_path / "results"
    photos.mkdir()
    results.mkdir()
    (photos / "a.png").write_bytes(b"original")

    def swap(_: int) -> None:
        if not results.is_symlink():
            results.rename(tmp_path / "away")
            results.symlink_to(photos)

    monkeypatch.setattr(os, "fsync", swap)
    write_file(results / "a.png", b"new")
    assert content(photos) == {"a.png": b"original"}
    assert content(tmp_path / "away") == {"a.png": b"new"}


def test_what_was_planned_to_be_replaced_is(way: str, tmp_path: Path):
    target = tmp_path / "a.png"
    target.write_bytes(b"old")
    planned = file_identity(target)
    write_file(target, b"new", replaces=planned)
    assert content(tmp_path) == {"a.png": b"new"}
    # It is now another file than the one that was planned.
    with pytest.raises(OutputError, match="replaced since"):
        write_file(target, b"newer", replaces=planned)
    assert content(tmp_path) == {"a.png": b"new"}


@needs_posix
def test_a_result_is_like_its_source(way: str, tmp_path: Path):
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(b"photo")
    source.chmod(0o604)
    os.utime(source, ns=(10**18, 10**18 + 7 * 10**9))
    attributes = hasattr(os, "setxattr")
    if attributes:
        try:
            os.setxattr(source, "user.rating", b"5")
        except OSError:
            attributes = False
    write_file(target, b"new", replaces=None, like=source)
    found = target.stat()
    assert found.st_mode & 0o777 == 0o604
    assert found.st_mtime_ns == 10**18 + 7 * 10**9
    if attributes:
        assert os.getxattr(target, "user.rating") == b"5"
    if os.geteuid() == 0:
        os.chown(source, 1234, 567)
        write_file(target, b"new", like=source)
        assert (target.stat().st_uid, target.stat().st_gid) == (1234, 567)
    source.unlink()
    write_file(target, b"newer", like=source)
    assert target.read_bytes() == b"newer"


def test_text_is_written_as_it_is(tmp_path: Path):
    write_file(tmp_path / "a.json", "ä\n")
    assert content(tmp_path) == {"a.json": b"\xc3\xa4\n"}


def test_errors_name_the_option_for_another_place(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="write elsewhere with --json"):
        write_file(tmp_path / "file/a.json", "x", option="--json")
    with pytest.raises(OutputError, match="write elsewhere with --run"):
        write_by(tmp_path / "file/a.npz", lambda path: path.touch(), option="--run")
    with (
        pytest.raises(OutputError, match="write elsewhere with --output"),
        new_folder(tmp_path / "file/a", option="--output"),
    ):
        raise AssertionError("there is nothing to fill")


def test_what_is_written_is_on_the_disk_before_and_after_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[tuple[str, bool]] = []

    def note(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((kind, (tmp_path / "new").exists()))

    monkeypatch.setattr(os, "fsync", note)
    write_file(tmp_path / "new", b"x")
    assert seen == [("file", False), ("folder", True)]
    (tmp_path / "new").unlink()
    seen.clear()
    write_by(tmp_path / "new", lambda path: path.write_bytes(b"x"))
    assert seen == [("file", False), ("folder", True)]
    (tmp_path / "new").unlink()
    seen.clear()
    with new_folder(tmp_path / "new") as folder:
        (folder / "a").write_bytes(b"x")
    assert seen == [("file", False), ("folder", True)]


class TestWritingByALibrary:
    def test_its_path_has_the_suffix_and_stands_beside_the_target(self, tmp_path: Path):
        target = tmp_path / "deep" / "a.npz"

        def write(path: Path) -> None:
            assert (path.suffix, path.parent) == (".npz", target.parent)
            path.write_bytes(b"new")

        write_by(target, write)
        write_by(target, write)
        assert content(target.parent) == {"a.npz": b"new"}

    @pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
    def test_a_failure_leaves_what_was_there(self, tmp_path: Path, error: BaseException):
        target = tmp_path / "a.npz"
        target.write_bytes(b"old")

        def write(path: Path) -> None:
            path.write_bytes(b"ha")
            raise error

        with pytest.raises((OutputError, KeyboardInterrupt)):
            write_by(target, write)
        assert content(tmp_path) == {"a.npz": b"old"}


class TestNewFolder:
    def test_it_appears_when_it_is_complete(self, tmp_path: Path):
        target = tmp_path / "deep" / "new"
        with new_folder(target) as folder:
            (folder / "a").write_bytes(b"new")
            assert not target.exists()
            assert folder.name == "new"
        assert content(target) == {"a": b"new"}
        assert list(target.parent.iterdir()) == [target]

    def test_it_may_hold_what_may_only_be_read(self, tmp_path: Path):
        with new_folder(tmp_path / "new") as folder:
            (folder / "a").write_bytes(b"new")
            (folder / "a").chmod(0o444)
            (folder / "link").symlink_to("nothing")
        assert {path.name for path in (tmp_path / "new").iterdir()} == {"a", "link"}

    def test_it_replaces_another(self, tmp_path: Path):
        target = tmp_path / "x"
        target.mkdir()
        (target / "old").touch()
        with new_folder(target, replaces=file_identity(target)) as folder:
            (folder / "new").write_bytes(b"new")
        assert content(target) == {"new": b"new"}
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("where", ["inside", "rename"])
    def test_a_failure_leaves_everything_as_it_was(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
    ):
        target = tmp_path / "x"
        target.mkdir()
        (target / "old").write_bytes(b"old")
        rename = Path.rename

        def refuse(self: Path, new: Path) -> Path:
            if self.name == new.name == "x" and not (self / "old").exists():
                raise OSError(errno.ENOSPC, "full")
            return rename(self, new)

        if where == "rename":
            monkeypatch.setattr(Path, "rename", refuse)
        replaces = file_identity(target)
        error = {"inside": ZeroDivisionError, "rename": OutputError}[where]
        with pytest.raises(error) as raised, new_folder(target, replaces=replaces):
            _ = 1 / (where != "inside")
        assert where == "inside" or "no space" in str(raised.value)
        assert content(target) == {"old": b"old"}
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("existed", [False, True])
    def test_one_that_came_meanwhile_stays(self, tmp_path: Path, existed: bool):
        target = tmp_path / "x"
        if existed:
            target.mkdir()
        planned = file_identity(target)

        def fill() -> None:
            with new_folder(target, replaces=planned) as folder:
                (folder / "new").write_bytes(b"new")
                if existed:
                    target.rename(tmp_path / "away")
                target.mkdir()
                (target / "a.jpg").write_bytes(b"photo")

        with pytest.raises(OutputError, match="since the command began"):
            fill()
        assert content(target) == {"a.jpg": b"photo"}
        assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_taken_names_are_refused_before_the_work(tmp_path: Path):
    taken = [tmp_path / "a", tmp_path / "b"]
    refuse_existing(taken, overwrite=False, remedy="no")
    taken[0].touch()
    with pytest.raises(UsageError, match="a: already exists; add --overwrite"):
        check_target(taken[0], overwrite=False)
    assert check_target(taken[0], overwrite=True) == file_identity(taken[0])
    assert check_target(tmp_path / "free", overwrite=True) is None
    taken[1].mkdir()
    with pytest.raises(UsageError, match=r"a, .*b: already exist; name others"):
        refuse_existing(taken, overwrite=False, remedy="name others")
    refuse_existing(taken, overwrite=True, remedy="name others")
    with pytest.raises(UsageError, match="is a folder"):
        check_target(taken[1], overwrite=True)
    with pytest.raises(UsageError, match="no such folder"):
        check_target(tmp_path / "none" / "a", overwrite=False)
    for long in (tmp_path / ("a" * 256), tmp_path / ("ü" * 128) / "a"):
        with pytest.raises(UsageError, match="too long"):
            check_target(long, overwrite=False)


@needs_posix
def test_a_link_to_nothing_is_taken_too(tmp_path: Path):
    (tmp_path / "a").symlink_to("nothing")
    with pytest.raises(UsageError, match="already exists"):
        check_target(tmp_path / "a", overwrite=False)


@needs_posix
def test_a_folder_that_may_not_be_written_to_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # The tests may run as somebody who may do everything.
    monkeypatch.setattr(os, "access", lambda folder, mode: folder != tmp_path)
    with pytest.raises(UsageError, match="may not be written to"):
        check_target(tmp_path / "a", overwrite=False)
