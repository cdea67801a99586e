"""What the denoise command does with folders, names, looks and pipes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from kerasdenoise.cli.batch import read_size
from kerasdenoise.cli.treatment import Treatment

CLI = Path(__file__).parents[2] / "cli.py"

Command = Callable[..., object]
Write = Callable[..., Path]


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_help_lists_options_by_what_they_are_for(command: Callable):
    text = command("denoise", "--help").out
    titles = ["Denoising:", "Files:", "Other:"]
    places = [text.index(f"\n{title}\n") for title in titles]
    assert places == sorted(places)
    assert text.index("denoise photo.jpg ") < places[0] < text.index("--strength") < places[1]
    assert places[1] < text.index("--recursive") < places[2]


def test_a_folder_is_mirrored_and_what_is_left_out_is_said(
    command: Callable, write_photo: Write, tmp_path: Path
):
    write_photo("s/a.png")
    write_photo("s/x/b.jpg")
    (tmp_path / "s/.hidden.png").write_bytes(b"")
    (tmp_path / "s/note.txt").write_bytes(b"")
    result = command("denoise", "s", "-o", "out")
    assert result.code == 0, result.err
    assert files(tmp_path / "out") == {"a.png"}
    assert re.search(r"1 hidden file, 1 .*not a photo, 1 folder.*-r", result.err)
    result = command("denoise", "s", "-r", "-o", "out", "--skip-existing")
    assert (result.code, files(tmp_path / "out")) == (0, {"a.png", "x/b.jpg"})
    assert result.err.splitlines()[-1] == "1 written, 1 skipped"


def test_a_folder_can_be_done_again(command: Callable, write_photo: Write, tmp_path: Path):
    write_photo("s/a.png")
    for last in ("s/a.png → s/a_denoised.png", "1 skipped"):
        result = command("denoise", "s", "--skip-existing")
        assert result.code == 0
        assert result.err.splitlines()[-1].startswith(last)
    assert files(tmp_path / "s") == {"a.png", "a_denoised.png"}
    assert "skipped 1 earlier result" in result.err


def test_results_are_called_as_the_template_says(
    command: Callable, write_photo: Write, tmp_path: Path
):
    write_photo("s/a.jpg")
    assert command("denoise", "s", "-s", 0.5, "--name", "{stem}-{model}-{strength}.png").code == 0
    assert files(tmp_path / "s") == {"a.jpg", "a-tiny-0.5.png"}
    refused = command("denoise", "s", "--name", "{stem}/{ext}")
    assert (refused.code, "names a folder" in refused.only_error) == (2, True)


def test_a_dry_run_says_all_and_does_nothing(command: Callable, write_photo: Write, tmp_path: Path):
    write_photo("s/a.png", (40, 56))
    (tmp_path / "s/b.png").write_bytes(b"no picture")
    before = files(tmp_path)
    result = command("denoise", "s", "-o", "out", "-n", "--tile", 20)
    assert result.code == 1
    planned, counts, error = result.err.splitlines()
    assert planned == "s/a.png → out/a.png (56 x 40 pixels, 20 tiles)"
    assert counts == "1 planned, 1 failed"
    assert "s/b.png: is not an image" in error
    lines = [json.loads(line) for line in command("denoise", "s", "-n", "--json").out.splitlines()]
    assert [line["status"] for line in lines] == ["planned", "failed"]
    assert (lines[0]["width"], lines[0]["height"], lines[0]["tiles"]) == (56, 40, 1)
    assert "not an image" in lines[1]["error"]
    assert files(tmp_path) == before


def test_a_dry_run_says_what_a_run_says(command: Callable, write_photo: Write, tmp_path: Path):
    write_photo("s/a.png", mode="RGBA")
    write_photo("s/b.png")
    with Image.open(write_photo("s/c.png")) as picture:
        comment = PngImagePlugin.PngInfo()
        comment.add_text("Comment", "at home")
        picture.save(tmp_path / "s/c.png", pnginfo=comment)
        picture.save(tmp_path / "s/d.tif", save_all=True, append_images=[picture])
    (tmp_path / "s/e.png").symlink_to("e.png")
    options = ("--name", "{stem}.jpg", "-o", "out/", "--json")

    def say(*more: str) -> list[dict[str, Any]]:
        result = command("denoise", "s", *options, *more)
        assert result.code == 1
        return [json.loads(line) for line in result.out.splitlines()]

    foretold = say("--dry-run")
    done = say()
    for each in done:
        each["seconds"] = each["device"] = None
        each["status"] = each["status"].replace("written", "planned")
    assert foretold == done
    assert [each["status"] for each in done] == ["failed", "planned", "planned", "failed", "failed"]
    assert done[2]["notes"]


@pytest.mark.parametrize(("tag", "detail"), [(1, 0), (6, 0), (1, 1)])
def test_a_preview_is_a_part_of_the_whole_result(
    command: Callable, write_photo: Write, tmp_path: Path, tag: int, detail: int
):
    source = write_photo("a.png", (700, 900) if tag == 1 else (900, 700))
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.open(source).save(source, exif=exif)
    options = ["--compare", "side.png", "--detail", detail]
    assert command("denoise", "a.png", *options).code == 0
    whole = np.asarray(Image.open(tmp_path / "side.png"))
    assert whole.shape == (700, 1800, 3)
    for point in (None, "70,610", "0,0", "899,699"):
        preview = "--preview" if point is None else f"--preview={point}"
        result = command("denoise", "a.png", preview, "--detail", detail, "--overwrite")
        assert result.code == 0, result.err
        shown = np.asarray(Image.open(tmp_path / "a_preview.png"))
        assert shown.shape == (480, 960, 3)
        x, y = (450, 350) if point is None else map(int, point.split(","))
        left, top = (min(max(at - 240, 0), size - 480) for at, size in ((x, 900), (y, 700)))
        part = slice(top, top + 480)
        np.testing.assert_array_equal(shown[:, :480], whole[part, left : left + 480])
        np.testing.assert_array_equal(shown[:, 480:], whole[part, 900 + left : 900 + left + 480])


def test_a_preview_never_replaces_a_file_unasked(
    command: Callable, write_photo: Write, tmp_path: Path
):
    write_photo("a.jpg")
    assert command("denoise", "a.jpg", "--preview").code == 0
    assert command("denoise", "a.jpg", "--preview").code == 2
    assert command("denoise", "a.jpg", "--preview", "--overwrite").code == 0
    assert command("denoise", "a.jpg", "--preview", "-o", "p.png").code == 0
    outside = command("denoise", "a.jpg", "--preview", "56,0", "-o", "q.png")
    assert re.search(r"preview 56,0: .*a\.jpg.*56 x 40", outside.only_error)
    assert outside.code == 1
    assert files(tmp_path) == {"a.jpg", "a_preview.png", "p.png"}
    before = command("denoise", "--preview", "a.jpg")
    assert "before --preview" in before.err


def test_a_preview_compares_strengths(command: Callable, write_photo: Write, tmp_path: Path):
    write_photo("a.png", (60, 80))
    assert command("denoise", "a.png", "--preview", "--strengths", "0,0.5,1").code == 0
    shown = np.asarray(Image.open(tmp_path / "a_preview.png"))
    band, line = 32, 2
    assert shown.shape == (60 + band, 4 * 80 + 3 * line, 3)
    before, none, half, full = (
        shown[:, left : left + 80].astype(int) for left in range(0, 4 * 82, 82)
    )
    np.testing.assert_array_equal(before[band:], none[band:])
    assert (before[:band] != half[:band]).any()
    assert (half[:band] != full[:band]).any()
    is_clipped = (full == 0) | (full == 255)
    middle = np.where(is_clipped, half, (before + full) / 2)
    np.testing.assert_allclose(half[band:], middle[band:], atol=1)
    assert (shown[band:, 80:82] == 255).all()


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (["--strengths", "0.5,1"], "--strengths: needs --preview"),
        (["--preview", "--strengths", "1"], "'1' is not 2 to 6 numbers"),
        (["--preview", "--strengths", "0.5,x"], "'0.5,x' is not 2 to 6 numbers"),
        (["--preview", "--strengths", "0.5,3"], "--strengths 3: "),
        (["--preview", "--strengths", "0.5,1", "--strength", 1], "combined with --strength"),
    ],
)
def test_strengths_that_cannot_be_compared(
    command: Callable, write_photo: Write, tmp_path: Path, options: list[object], error: str
):
    write_photo("a.png")
    result = command("denoise", "a.png", *options)
    assert (result.code, error in result.err) == (2, True), result.err
    assert files(tmp_path) == {"a.png"}


def test_before_and_after_are_for_one_photo(command: Callable, write_photo: Write, tmp_path: Path):
    write_photo("a.png")
    write_photo("b.png")
    assert re.search("compare.* 2", command("denoise", "a.png", "b.png", "--compare", "c.png").err)
    for taken in ("a.png", "a_denoised.png"):
        result = command("denoise", "a.png", "--compare", taken, "--overwrite")
        assert (result.code, "is also an input or a result" in result.only_error) == (2, True)
    assert files(tmp_path) == {"a.png", "b.png"}


def test_how_to_denoise_reaches_the_denoiser(command: Callable, write_photo: Write, tmp_path: Path):
    write_photo("a.png")
    results = {}
    for name, options in {
        "plain": [],
        "grain": ["--keep-grain", 0.5],
        "luma": ["--luma", 0.25],
        "chroma": ["--chroma", 0.5],
        "detail": ["--detail", 1],
        "best": ["--quality", "best"],
        "small": ["--max-memory", "1M"],
    }.items():
        assert command("denoise", "a.png", "-o", f"{name}.png", *options).code == 0
        results[name] = np.asarray(Image.open(tmp_path / f"{name}.png")).tobytes()
    assert results["small"] == results["plain"]
    assert len(set(results.values())) == 6
    assert re.search("detail 2: .*0 and 1", command("denoise", "a.png", "--detail", 2).err)
    assert re.search("luma 3: .*0 and 2", command("denoise", "a.png", "--luma", 3).err)
    refused = command("denoise", "a.png", "--chroma", 1.5)
    assert re.search(r"chroma 1\.5: .*strength 1.*tiny", refused.err)
    refused = command("denoise", "a.png", "--keep-grain", 2)
    assert re.search("--keep-grain 2: .*0 and 1", refused.err)
    fast = command("denoise", "a.png", "--quality", "fast")
    assert (fast.code, "8-bit integers" in fast.only_error) == (2, True)


def test_how_files_are_written_can_be_chosen(command: Callable, write_photo: Write, tmp_path: Path):
    source = write_photo("a.jpg")
    exif = Image.Exif()
    exif[0x0110] = "camera"
    Image.open(source).save(source, exif=exif, quality=60)
    sizes = {}
    for quality in (30, 60, 95, "keep"):
        assert command("denoise", "a.jpg", "-o", "b.jpg", "-q", quality, "--overwrite").code == 0
        sizes[quality] = (tmp_path / "b.jpg").stat().st_size
    assert sizes[30] < sizes[60] < sizes[95]
    assert sizes["keep"] < sizes[95]
    assert Image.open(tmp_path / "b.jpg").getexif()[0x0110] == "camera"
    assert command("denoise", "a.jpg", "-o", "c.jpg", "--metadata", "none").code == 0
    assert not Image.open(tmp_path / "c.jpg").getexif()
    assert command("denoise", "a.jpg", "-o", "d.png", "--bit-depth", 16).code == 0
    assert (tmp_path / "d.png").read_bytes()[24] == 16


def test_the_first_of_several_pictures_is_for_those_who_ask(
    command: Callable, write_photo: Write, tmp_path: Path
):
    first, second = (Image.open(write_photo(f"{name}.png")) for name in "ab")
    first.save(tmp_path / "c.webp", save_all=True, append_images=[second.rotate(90)])
    assert "c.webp" in command("denoise", "c.webp").only_error
    result = command("denoise", "c.webp", "--first-only", "--json")
    assert result.code == 0, result.err
    assert json.loads(result.out)["notes"]
    result = command("denoise", "c.webp", "--first-only", "-o", "d.webp")
    assert result.err.splitlines()[-1].startswith("c.webp: is an animation, of which only ")


def test_metadata_that_the_results_format_has_no_place_for_is_said(
    command: Callable, write_photo: Write
):
    source = write_photo("a.jpg")
    Image.open(source).save(source, comment=b"at the sea", dpi=(300, 300))
    note = "loses comments, dots per inch: WebP cannot store it"
    result = command("denoise", "a.jpg", "-o", "b.webp")
    assert result.code == 0
    assert result.err.splitlines()[-1] == f"a.jpg: {note}"
    result = command("denoise", "a.jpg", "-o", "c.webp", "--json")
    assert json.loads(result.out)["notes"] == [note]
    assert result.err == ""
    # Nobody misses what was not to be written, and nothing is lost in the photo's own format.
    result = command("denoise", "a.jpg", "-o", "d.png", "--metadata", "none", "--json")
    assert json.loads(result.out)["notes"] == []
    result = command("denoise", "a.jpg", "-o", "e.jpg", "--json")
    assert json.loads(result.out)["notes"] == []


@pytest.mark.parametrize(
    "options",
    [
        ["a.png", "--preview", "--compare", "b.png"],
        ["a.png", "--preview", "-n"],
        ["a.png", "-o", "-", "--json"],
        ["a.png", "-o", "-", "--skip-existing"],
        ["-", "-r"],
        ["-", "--name", "{stem}.png"],
    ],
)
def test_options_that_would_do_nothing_are_refused(
    command: Callable, write_photo: Write, options: list[str]
):
    write_photo("a.png")
    result = command("denoise", *options)
    assert (result.code, "cannot be combined" in result.only_error) == (2, True)


class TestPipe:
    @pytest.fixture
    def pipe(
        self, cli_environment: dict[str, str], tmp_path: Path
    ) -> Callable[..., subprocess.CompletedProcess]:
        def run(*args: str, data: bytes = b"") -> subprocess.CompletedProcess:
            return subprocess.run(
                [sys.executable, CLI, "denoise", *args],
                cwd=tmp_path,
                env=cli_environment,
                input=data,
                capture_output=True,
            )

        return run

    @pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
    def test_pixels_and_nothing_else_go_through(
        self, pipe: Callable, command: Callable, write_photo: Write, tmp_path: Path, name: str
    ):
        content = write_photo(name).read_bytes()
        assert command("denoise", name).code == 0
        expected = next(tmp_path.glob("a_denoised.*")).read_bytes()
        for result in (pipe("-", data=content), pipe("-", "-o", "-", data=content)):
            assert (result.returncode, result.stderr, result.stdout) == (0, b"", expected)
        assert pipe(name, "-o", "-").stdout == expected

    def test_a_file_has_the_format_of_its_name(
        self, pipe: Callable, write_photo: Write, tmp_path: Path
    ):
        content = write_photo("a.png").read_bytes()
        assert pipe("-", "-o", "b.jpg", data=content).returncode == 0
        assert Image.open(tmp_path / "b.jpg").format == "JPEG"
        again = pipe("-", "-o", "b.jpg", data=content)
        assert (again.returncode, b"b.jpg: already exists" in again.stderr) == (2, True)

    def test_what_is_left_out_is_said(self, pipe: Callable, write_photo: Write, tmp_path: Path):
        first, second = (Image.open(write_photo(f"{name}.png")) for name in "ab")
        first.save(tmp_path / "c.webp", save_all=True, append_images=[second.rotate(90)])
        result = pipe("c.webp", "-o", "-", "--first-only")
        assert result.stdout.startswith(b"RIFF")
        assert result.stderr.startswith(b"c.webp: is an animation, of which only the first ")
        assert pipe("c.webp", "-o", "-", "--first-only", "--quiet").stderr == b""

    def test_what_cannot_be_read_is_said(self, pipe: Callable):
        for data, text in ((b"", b"is empty"), (b"text", b"is not an image")):
            result = pipe("-", data=data)
            assert (result.returncode, result.stdout) == (1, b"")
            assert b"kerasdenoise: standard input: " + text in result.stderr

    def test_it_is_for_one_photo(self, pipe: Callable, write_photo: Write):
        write_photo("a.png")
        result = pipe("-", "a.png")
        assert (result.returncode, b"one of 2" in result.stderr) == (2, True)
        assert b"does not name an image file" in pipe("-", "-o", "folder/").stderr


def test_a_shell_completes_commands_options_and_models(
    cli_environment: dict[str, str], tmp_path: Path
):
    def complete(words: str) -> list[str]:
        environment = {
            **cli_environment,
            "_KERASDENOISE_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        result = subprocess.run(
            [sys.executable, CLI], env=environment, cwd=tmp_path, capture_output=True, text=True
        )
        return [line.partition(",")[2] for line in result.stdout.splitlines()]

    assert complete("kerasdenoise den") == ["denoise"]
    assert "--skip-existing" in complete("kerasdenoise denoise --skip")
    assert complete("kerasdenoise denoise -m ti") == ["tiny", "tiny_gray"]


def test_what_cannot_be_written_is_refused_before_the_work(
    command: Callable, write_photo: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    write_photo("a.jpg")
    write_photo("b.png", mode="RGBA")
    monkeypatch.setattr(Treatment, "denoise", None)
    refused = command("denoise", "a.jpg", "--bit-depth", "16", "--dry-run")
    assert (refused.code, "--bit-depth 16: a_denoised.jpg cannot" in refused.only_error) == (
        2,
        True,
    )
    refused = command("denoise", "b.png", "-o", "c.jpg")
    assert (refused.code, "transparency" in refused.only_error) == (1, True)
    assert files(tmp_path) == {"a.jpg", "b.png"}


def test_a_failed_comparison_is_said_though_the_photo_is_there(
    command: Callable, write_photo: Write, tmp_path: Path
):
    write_photo("a.png", (16, 33000))  # beside each other they are too wide for a JPEG file
    result = command("denoise", "a.png", "--skip-existing", "--compare", "side.jpg")
    assert result.code == 1
    assert re.search("too many.*JPEG", result.err)
    assert files(tmp_path) == {"a.png", "a_denoised.png"}


def test_a_name_of_another_format_is_said(command: Callable, write_photo: Write, tmp_path: Path):
    write_photo("a.png").rename(tmp_path / "a.jpg")
    result = command("denoise", "a.jpg", "-s", 0)
    assert result.code == 0
    assert re.search(r"a\.jpg: is PNG.*JPEG.*name", result.err)


def test_a_raw_files_small_picture_is_not_taken_for_its_size(
    command: Callable, write_photo: Write, tmp_path: Path
):
    write_photo("a.tif", (8, 12)).rename(tmp_path / "a.dng")
    assert read_size(tmp_path / "a.dng") is None
