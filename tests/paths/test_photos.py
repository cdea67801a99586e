from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.images.read import read_image
from kerasdenoise.paths.photos import Found, find_photos
from kerasdenoise.paths.plan import plan_jobs

TREE = [
    "s/b.jpg",
    "s/a.PNG",
    "s/.hidden.jpg",
    "s/note.txt",
    "s/x/c.webp",
    "s/x/y/d.jpg",
    "s/.z/e.jpg",
]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> None:
        for name in names or TREE:
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    return make


def names(found: Found) -> list[str]:
    return [path.as_posix() for path in found.photos]


def test_a_folder_gives_its_photos_and_counts_the_rest(tree: Callable[..., None]):
    tree()
    found = find_photos(["s"])
    assert names(found) == ["s/a.PNG", "s/b.jpg"]
    assert (found.hidden, found.others, found.folders) == (2, 1, 1)
    assert set(found.roots.values()) == {Path("s")}


def test_folders_in_folders_are_for_those_who_ask(tree: Callable[..., None]):
    tree()
    found = find_photos(["s"], recursive=True)
    assert names(found) == ["s/a.PNG", "s/b.jpg", "s/x/c.webp", "s/x/y/d.jpg"]
    assert (found.hidden, found.others, found.folders) == (2, 1, 0)


def test_files_are_taken_as_they_are_named(tree: Callable[..., None]):
    tree()
    found = find_photos(["missing.jpg", "s/note.txt", "s/.hidden.jpg"])
    assert names(found) == ["missing.jpg", "s/note.txt", "s/.hidden.jpg"]
    assert not found.roots


def test_patterns_are_expanded_where_no_shell_did_so(tree: Callable[..., None]):
    tree()
    assert names(find_photos(["s/*.jpg"])) == ["s/b.jpg"]
    assert names(find_photos(["s/**/*.jpg"])) == ["s/b.jpg", "s/x/y/d.jpg"]
    assert names(find_photos(["s/?"])) == ["s/x/c.webp"]  # a folder
    with pytest.raises(UsageError, match="matches no file"):
        find_photos(["s/*.avif"])


def test_a_file_is_no_pattern(tree: Callable[..., None]):
    tree("[a].jpg", "a.jpg")
    assert names(find_photos(["[a].jpg"])) == ["[a].jpg"]


def test_the_folder_of_results_is_not_looked_into(tree: Callable[..., None]):
    tree("s/a.jpg", "s/clean/a.jpg", "s/clean/x/b.jpg")
    assert names(find_photos(["s"], recursive=True, output="s/clean")) == ["s/a.jpg"]
    assert names(find_photos(["s"], recursive=True, output="s/../s/clean/")) == ["s/a.jpg"]
    assert len(find_photos(["s"], recursive=True, output="s").photos) == 3


def test_a_folder_without_photos_is_refused(tree: Callable[..., None]):
    tree("s/x/a.jpg", "t/note.txt")
    with pytest.raises(UsageError, match=r"s: .*no photos; .*-r"):
        find_photos(["s"])
    with pytest.raises(UsageError, match=r"t: .*no photos; .*path"):
        find_photos(["t"], recursive=True)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_links_to_folders_are_not_followed(tree: Callable[..., None]):
    tree("s/a.jpg", "t/b.jpg")
    Path("s/loop").symlink_to("../s", target_is_directory=True)
    Path("s/link.jpg").symlink_to("../t/b.jpg")
    found = find_photos(["s"], recursive=True)
    assert names(found) == ["s/a.jpg", "s/link.jpg"]
    assert found.folders == 1
    Path("root").symlink_to("t", target_is_directory=True)
    assert names(find_photos(["root"])) == ["root/b.jpg"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_names_may_be_in_any_language_and_in_none(tree: Callable[..., None]):
    strange = os.fsdecode(b"s/\xff\xe4.jpg")
    tree("s/照片.jpg", strange)
    assert sorted(find_photos(["s"]).photos) == sorted([Path("s/照片.jpg"), Path(strange)])


def test_a_photo_that_is_named_itself_is_none_of_a_folder(tree: Callable[..., None]):
    tree("s/a.jpg", "s/a_denoised.jpg")
    found = find_photos(["s", "./s/a_denoised.jpg"])
    assert set(map(str, found.roots)) == {"s/a.jpg"}
    with pytest.raises(UsageError, match=r"a_denoised\.jpg: .*input"):
        plan_jobs(found.photos, roots=found.roots, overwrite=True)


def test_an_empty_name_is_not_this_folder(tree: Callable[..., None]):
    tree("a.jpg")
    with pytest.raises(UsageError, match=r"empty; .* \. "):
        find_photos([""])


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_in_a_folder_is_no_photo(tree: Callable[..., None]):
    tree("s/a.jpg")
    os.mkfifo("s/b.jpg")
    Path("s/c.jpg").symlink_to("nowhere")
    found = find_photos(["s"])
    assert names(found) == ["s/a.jpg", "s/c.jpg"]  # a broken link is said at its turn
    assert found.others == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs links")
def test_links_that_lead_in_a_circle_are_taken_for_photos_that_fail(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "itself.jpg").symlink_to("itself.jpg")
    (tmp_path / "one.jpg").symlink_to("two.jpg")
    (tmp_path / "two.jpg").symlink_to("one.jpg")
    (tmp_path / "folder").symlink_to("folder")
    for recursive in (False, True):
        found = find_photos([str(tmp_path)], recursive=recursive)
        assert [path.name for path in found.photos] == ["a.jpg", "itself.jpg", "one.jpg", "two.jpg"]
        assert len(plan_jobs(found.photos, roots=found.roots).jobs) == 4
    with pytest.raises(InputError, match="cannot be read"):
        read_image(tmp_path / "itself.jpg")


def test_a_folder_in_a_folder_that_may_not_be_read_keeps_no_other_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").touch()
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def refuse(folder: Path):
        if Path(folder).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_photos([str(tmp_path)], recursive=True)
    assert ([path.name for path in found.photos], found.unreadable) == (["a.jpg"], 1)
    with pytest.raises(UsageError, match="Permission denied"):
        find_photos([str(tmp_path / "closed")])
