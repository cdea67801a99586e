from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasdenoise.errors import UsageError
from kerasdenoise.images.formats import known_suffixes
from kerasdenoise.paths.photos import find_photos
from kerasdenoise.paths.plan import Job, Plan, plan_jobs, refuse_inputs
from kerasdenoise.paths.template import NameTemplate

Touch = Callable[..., list[Path]]


@pytest.fixture
def touch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Touch:
    """Makes empty files in the working folder and returns their relative paths."""
    monkeypatch.chdir(tmp_path)

    def make(*names: str) -> list[Path]:
        paths = [Path(name) for name in names]
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return paths

    return make


def targets(plan: Plan) -> list[str]:
    return [job.target.as_posix() for job in plan.jobs]


@pytest.mark.parametrize(
    ("inputs", "output", "expected"),
    [
        (["a.jpg"], None, ["a_denoised.jpg"]),
        (["x/a.b.JPG"], None, ["x/a.b_denoised.JPG"]),
        (["noext"], None, ["noext_denoised"]),
        ([".hidden.png"], None, [".hidden_denoised.png"]),
        (["x/a.jpg", "y/a.jpg"], None, ["x/a_denoised.jpg", "y/a_denoised.jpg"]),
        (["x/a.jpg", "a.jpg", "x/a.jpg"], None, ["x/a_denoised.jpg", "a_denoised.jpg"]),
        (["a.jpg"], "b.png", ["b.png"]),
        (["a.jpg"], "new/b.WEBP", ["new/b.WEBP"]),
        (["a.jpg"], "new/", ["new/a.jpg"]),
        (["a.jpg"], "new.jpg/", ["new.jpg/a.jpg"]),
        (["a.jpg"], "folder", ["folder/a.jpg"]),
        (["a.jpg", "b.png"], "new", ["new/a.jpg", "new/b.png"]),
        (["a.jpg", "x/b.png"], "folder", ["folder/a.jpg", "folder/b.png"]),
        (["a.jpg", "./a.jpg"], "b.jpg", ["b.jpg"]),
        ([], "new", []),
    ],
)
@pytest.mark.parametrize("exist", [True, False], ids=["inputs exist", "inputs are missing"])
def test_where_results_go(
    touch: Touch, inputs: list[str], output: str | None, expected: list[str], exist: bool
) -> None:
    Path("folder").mkdir()
    if exist:
        touch(*inputs)
    if output == "new" and not inputs:
        output = "new/"
    plan = plan_jobs([Path(name) for name in inputs], output)
    assert targets(plan) == expected
    assert not plan.skipped


def test_the_suffix_can_be_chosen(touch: Touch) -> None:
    assert targets(plan_jobs(touch("a.jpg"), name=NameTemplate("{stem}-clean{ext}"))) == [
        "a-clean.jpg"
    ]


def refusal(inputs: list[Path], output: str | Path | None = None, **options: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        plan_jobs(inputs, output, **options)
    assert "\n" not in str(caught.value)
    assert caught.value.remedy
    return caught.value


def test_all_existing_targets_are_named(touch: Touch) -> None:
    inputs = touch("a.jpg", "b.jpg", "c.jpg")
    touch("a_denoised.jpg", "c_denoised.jpg")
    error = refusal(inputs)
    assert error.subject == "a_denoised.jpg, c_denoised.jpg"
    assert error.cause == "already exist"
    assert "--overwrite" in error.remedy
    assert "--skip-existing" in error.remedy


def test_existing_targets_are_overwritten_or_skipped_on_request(touch: Touch) -> None:
    inputs = touch("a.jpg", "b.jpg")
    touch("a_denoised.jpg")
    plan = plan_jobs(inputs, overwrite=True)
    assert targets(plan) == ["a_denoised.jpg", "b_denoised.jpg"]
    plan = plan_jobs(inputs, skip_existing=True)
    assert targets(plan) == ["b_denoised.jpg"]
    assert plan.skipped == (Job(Path("a.jpg"), Path("a_denoised.jpg")),)


def test_a_folder_is_never_overwritten(touch: Touch) -> None:
    Path("a_denoised.jpg").mkdir()
    inputs = touch("a.jpg")
    assert re.search("exists.*; move", str(refusal(inputs, overwrite=True)))


def test_overwriting_contradicts_skipping(touch: Touch) -> None:
    error = refusal(touch("a.jpg"), overwrite=True, skip_existing=True)
    assert "cannot be combined with --skip-existing" in str(error)


def test_folders_are_refused(touch: Touch) -> None:
    inputs = touch("a.jpg", "x/b.jpg", "y/c.jpg")
    assert re.search("^x: .*folder; .*files", str(refusal([Path("x")])))
    assert refusal([inputs[0], Path("x"), Path("y")]).subject == "x, y"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("b.xyz", "files ending in .xyz cannot be written"),
        ("b", "has no suffix"),
        ("b.xyz", f"{known_suffixes()} can be written"),
        ("b.nef", "files ending in .nef cannot be written"),  # it can be read, not written
        ("b", f"write b{os.sep} for a folder"),
    ],
)
def test_an_output_that_names_no_known_format(touch: Touch, output: str, text: str) -> None:
    assert text in str(refusal(touch("a.jpg"), output))


def test_several_inputs_need_a_folder(touch: Touch) -> None:
    inputs = touch("a.jpg", "b.jpg")
    assert re.search("name.* 2 inputs", str(refusal(inputs, "out.jpg")))
    touch("file")
    assert "not a folder" in str(refusal(inputs, "file"))
    assert "not a folder" in str(refusal(inputs[:1], "file/"))


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"skip_existing": True}])
class TestTargetIsAnInput:
    def test_itself(self, touch: Touch, options: dict[str, Any]) -> None:
        inputs = touch("a.jpg")
        assert "an input" in str(refusal(inputs, "a.jpg", **options))
        assert "an input" in str(refusal(inputs, ".", **options))

    def test_another(self, touch: Touch, options: dict[str, Any]) -> None:
        inputs = touch("a.jpg", "a_denoised.jpg", "b.jpg", "b_denoised.jpg")
        error = refusal(inputs, **options)
        assert error.subject == "a_denoised.jpg, b_denoised.jpg"
        assert error.cause == "are also inputs"

    def test_missing(self, touch: Touch, options: dict[str, Any]) -> None:
        touch()
        assert "an input" in str(refusal([Path("a.jpg")], "./A.JPG", **options))
        if sys.platform != "win32":
            Path("b.jpg").symlink_to("a.jpg")
            assert "an input" in str(refusal([Path("a.jpg")], "b.jpg", **options))

    def test_by_hard_link(self, touch: Touch, options: dict[str, Any]) -> None:
        inputs = touch("a.jpg")
        Path("b.jpg").hardlink_to("a.jpg")
        assert "b.jpg: is also an input" in str(refusal(inputs, "b.jpg", **options))

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
    def test_by_link(self, touch: Touch, options: dict[str, Any]) -> None:
        inputs = touch("x/a.jpg")
        Path("b.jpg").symlink_to("x/a.jpg")
        Path("y").symlink_to("x", target_is_directory=True)
        assert "an input" in str(refusal(inputs, "b.jpg", **options))
        assert "an input" in str(refusal(inputs, "y", **options))
        assert "an input" in str(refusal(inputs, "y/../x/a.jpg", **options))

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
    def test_input_is_the_link(self, touch: Touch, options: dict[str, Any]) -> None:
        touch("a.jpg")
        Path("b.jpg").symlink_to("a.jpg")
        assert "an input" in str(refusal([Path("b.jpg")], "a.jpg", **options))


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"skip_existing": True}])
@pytest.mark.parametrize(
    "names", [("x/a.jpg", "y/a.jpg"), ("x/a.jpg", "y/A.JPG"), ("x/ü.jpg", "y/u\u0308.jpg")]
)
def test_two_inputs_with_one_target(
    touch: Touch, names: tuple[str, str], options: dict[str, Any]
) -> None:
    inputs = [*touch(*names), *touch("b.jpg")]
    error = refusal(inputs, "out", **options)
    assert error.subject == ", ".join(map(str, inputs[:2]))
    assert "same file" in error.cause


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_file_under_two_names_is_done_under_both(touch: Touch) -> None:
    touch("a.jpg")
    Path("b.jpg").symlink_to("a.jpg")
    Path("c.jpg").hardlink_to("a.jpg")
    plan = plan_jobs([Path("b.jpg"), Path("a.jpg"), Path("c.jpg")])
    assert targets(plan) == ["b_denoised.jpg", "a_denoised.jpg", "c_denoised.jpg"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
def test_a_file_through_two_folders_is_done_once(touch: Touch) -> None:
    touch("x/a.jpg")
    Path("y").symlink_to("x", target_is_directory=True)
    assert targets(plan_jobs([Path("x/a.jpg"), Path("y/a.jpg")])) == ["x/a_denoised.jpg"]


NAMES = [
    f"{folder}{stem}{suffix}"
    for folder in ("", "x/", "y/")
    for stem in ("a", "A", "b", "a_denoised")
    for suffix in (".jpg", ".png")
]
OUTPUTS = [None, "out/", "out", "x", "x/", ".", "a.jpg", "x/b.png", "new.webp", "b", "y/a.jpg/"]
# How a name comes to exist: as a file or a folder, or as a link to another name.
KINDS = st.one_of(
    st.sampled_from(["file", "file", "file", "folder"]),
    st.tuples(st.sampled_from(["hard", "soft"]), st.sampled_from(NAMES)),
)


def _populate(root: Path, tree: dict[str, str | tuple[str, str]]) -> None:
    for folder in ("x", "y"):
        (root / folder).mkdir()
    # Files first: a hard link needs what it links to.
    for name, kind in sorted(tree.items(), key=lambda item: isinstance(item[1], tuple)):
        path = root / name
        if os.path.lexists(path):
            continue
        if kind == "file":
            path.touch()
        elif kind == "folder":
            path.mkdir()
        elif isinstance(kind, tuple) and kind[0] == "soft" and sys.platform != "win32":
            path.symlink_to(root / kind[1])
        elif isinstance(kind, tuple) and (root / kind[1]).is_file():
            path.hardlink_to(root / kind[1])


@settings(max_examples=250, deadline=None)
@given(
    tree=st.dictionaries(st.sampled_from(NAMES), KINDS, max_size=8),
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    output=st.sampled_from(OUTPUTS),
    option=st.sampled_from(["", "overwrite", "skip_existing"]),
)
def test_no_plan_can_lose_a_file(
    tree: dict[str, str | tuple[str, str]],
    names: list[str],
    output: str | None,
    option: str,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        _populate(root, tree)
        before = sorted(root.rglob("*"))
        inputs = [root / name for name in names]
        options: dict[str, Any] = {option: True} if option else {}
        try:
            plan = plan_jobs(
                inputs,
                None if output is None else f"{root}/{output}",
                **options,
            )
        except UsageError:
            return
        finally:
            assert sorted(root.rglob("*")) == before

        jobs = [*plan.jobs, *plan.skipped]
        for job in jobs:
            for source in inputs:
                assert os.path.realpath(job.target) != os.path.realpath(source)
                if job.target.exists() and source.exists():
                    assert not job.target.samefile(source)
        written = [os.path.realpath(job.target.parent) + job.target.name for job in jobs]
        assert len({name.casefold() for name in written}) == len(jobs)
        assert {job.source for job in jobs} == set(inputs)
        assert len({job.source for job in jobs}) == len(jobs)
        assert all(os.path.lexists(job.target) for job in plan.skipped)
        assert option == "overwrite" or not any(os.path.lexists(job.target) for job in plan.jobs)
        assert option == "skip_existing" or not plan.skipped


def plan_folder(folder: str, output: str | None = None, **options: Any) -> Plan:
    found = find_photos([folder], recursive=True, output=output)
    return plan_jobs(found.photos, output, roots=found.roots, **options)


class TestFolder:
    def test_its_tree_is_mirrored(self, touch: Touch) -> None:
        touch("s/a.jpg", "s/x/a.jpg", "s/x/y/b.png")
        for folder in ("s", "s/", "./s", "s/x/.."):
            assert targets(plan_folder(folder, "out")) == [
                "out/a.jpg",
                "out/x/a.jpg",
                "out/x/y/b.png",
            ]
        os.chdir("s/x")
        assert targets(plan_folder("..", "../../out"))[1:] == [
            "../../out/x/a.jpg",
            "../../out/x/y/b.png",
        ]

    def test_one_photo_in_it_makes_no_file_of_the_output(self, touch: Touch) -> None:
        touch("s/a.jpg")
        assert targets(plan_folder("s", "out")) == ["out/a.jpg"]
        with pytest.raises(UsageError, match=r"b\.jpg: .*name; .*b\.jpg"):
            plan_folder("s", "b.jpg")

    def test_results_stand_beside_and_are_not_done_again(self, touch: Touch) -> None:
        touch("s/a.jpg", "s/x/b.png")
        first = plan_folder("s")
        assert targets(first) == ["s/a_denoised.jpg", "s/x/b_denoised.png"]
        touch("s/a_denoised.jpg", "s/a_preview.png")
        again = plan_folder("s", skip_existing=True)
        assert targets(again) == ["s/x/b_denoised.png"]
        assert [job.target.name for job in again.skipped] == ["a_denoised.jpg"]
        assert sorted(map(str, again.results)) == ["s/a_denoised.jpg", "s/a_preview.png"]
        assert targets(plan_folder("s", overwrite=True)) == targets(first)

    def test_a_result_that_is_named_is_an_input_and_so_refused(self, touch: Touch) -> None:
        touch("s/a.jpg", "s/a_denoised.jpg")
        error = refusal([Path("s/a.jpg"), Path("s/a_denoised.jpg")], overwrite=True)
        assert "an input" in str(error)

    def test_it_is_no_place_for_results_of_the_same_names(self, touch: Touch) -> None:
        touch("s/a.jpg", "s/x/b.jpg")
        with pytest.raises(UsageError, match="are also inputs"):
            plan_folder("s", "s", overwrite=True)
        assert len(plan_folder("s", "s", name=NameTemplate("{stem}_x{ext}")).jobs) == 2

    @pytest.mark.skipif(sys.platform == "win32", reason="links need rights on Windows")
    def test_not_through_a_link_either(self, touch: Touch) -> None:
        touch("s/a.jpg")
        Path("link").symlink_to("s", target_is_directory=True)
        with pytest.raises(UsageError, match="input"):
            plan_folder("s", "link", overwrite=True)

    def test_two_of_them_may_clash(self, touch: Touch) -> None:
        touch("s/a.jpg", "t/a.jpg")
        found = find_photos(["s", "t"])
        with pytest.raises(UsageError, match="same file"):
            plan_jobs(found.photos, "out", roots=found.roots)

    def test_the_time_grows_with_the_files_and_not_with_their_square(self, touch: Touch) -> None:
        def seconds(folder: str, count: int) -> float:
            touch(*(f"{folder}/{number:05}.jpg" for number in range(count)))
            start = time.process_time()
            assert len(plan_folder(folder).jobs) == count
            return time.process_time() - start

        # Ten times as many.
        assert seconds("many", 5_000) < 40 * min(seconds(name, 500) for name in ("few", "same"))

    def test_a_message_about_many_names_some(self, touch: Touch) -> None:
        touch(*(f"s/{number}.jpg" for number in range(30)))
        touch(*(f"s/{number}_denoised.jpg" for number in range(30)))
        with pytest.raises(UsageError, match=r"22 more: .*exist"):
            plan_folder("s")


def test_a_name_template_is_for_folders(touch: Touch) -> None:
    name = NameTemplate("{stem}_x{ext}")
    assert targets(plan_jobs(touch("a.jpg"), "out/", name=name)) == ["out/a_x.jpg"]
    assert re.search("names.*file", str(refusal(touch("a.jpg"), "b.jpg", name=name)))


def test_names_made_alike_without_the_stem_clash(touch: Touch) -> None:
    error = refusal(touch("a.jpg", "a.png"), name=NameTemplate("x.png"))
    assert "same file" in str(error)


@pytest.mark.parametrize(
    ("inputs", "template", "expected", "renamed"),
    [
        (["x.dng", "x.orf"], None, ["x_denoised.tif", "x_orf_denoised.tif"], ["x.orf"]),
        (["x.orf", "x.tif"], None, ["x_orf_denoised.tif", "x_denoised.tif"], ["x.orf"]),
        (["A.jpg", "a.jpg"], None, ["A_denoised.jpg", "a_jpg_denoised.jpg"], ["a.jpg"]),
        (["a.JPG", "a.jpg"], None, ["a_denoised.JPG", "a_jpg_denoised.jpg"], ["a.jpg"]),
        (
            ["A.jpg", "a.jpg", "a.JPG"],
            None,
            ["A_denoised.jpg", "a_jpg_denoised.jpg", "a_JPG_2_denoised.JPG"],
            ["a.jpg", "a.JPG"],
        ),
        (["a.jpg", "a.png"], "{stem}_x.png", ["a_jpg_x.png", "a_x.png"], ["a.jpg"]),
        (["a.jpg", "a.png"], None, ["a_denoised.jpg", "a_denoised.png"], []),
    ],
)
def test_results_of_one_name_are_told_apart(
    touch: Touch, inputs: list[str], template: str | None, expected: list[str], renamed: list[str]
) -> None:
    name = None if template is None else NameTemplate(template)
    plan = plan_jobs(touch(*inputs), name=name)
    assert targets(plan) == expected
    assert [str(path) for path in plan.renamed] == renamed
    # In a folder of their own they keep their names, as far as they differ.
    plan = plan_jobs([Path(each) for each in inputs], "out/", name=name)
    assert len({target.lower() for target in targets(plan)}) == len(inputs)


def test_of_equal_names_in_different_folders_none_is_preferred(touch: Touch) -> None:
    error = refusal(touch("x/a.jpg", "y/a.jpg"), "out/")
    assert "same file" in str(error)


def test_a_folder_that_may_not_be_written_keeps_no_other_from_it(
    touch: Touch, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = touch("mine/a.jpg", "theirs/b.jpg")
    monkeypatch.setattr(os, "access", lambda path, mode: "theirs" not in str(path))
    assert len(plan_jobs(paths).jobs) == 2
    assert "not be written" in str(refusal(paths[1:]))


def test_a_folder_that_cannot_be_is_refused(touch: Touch) -> None:
    inputs = touch("a.jpg", "file")[:1]
    assert str(refusal(inputs, "file/x/a.jpg")).startswith("file: is a file, not a folder")


def test_a_target_beside_the_results_is_none_of_the_files(touch: Touch) -> None:
    plan = plan_jobs(touch("a.jpg"))
    refuse_inputs(Path("side.png"), plan)
    for name in ("a.jpg", "a_denoised.jpg", "./a.jpg"):
        with pytest.raises(UsageError, match="input or a result"):
            refuse_inputs(Path(name), plan)


def test_an_empty_output_is_not_this_folder(touch: Touch):
    with pytest.raises(UsageError, match=r"output: .*empty; .*folder"):
        plan_jobs(touch("a.jpg"), "")


def test_a_name_without_a_suffix_is_told_apart_from_a_name_that_is_given_twice(touch: Touch):
    (photo,) = touch("a.jpg")
    with pytest.raises(UsageError, match=r"previews: .*suffix.*; .*previews.*folder"):
        plan_jobs([photo], "previews", name=NameTemplate("{stem}.png"))
    with pytest.raises(UsageError, match=r"b\.png: .*names.*; .*--name"):
        plan_jobs([photo], "b.png", name=NameTemplate("{stem}.png"))
