from __future__ import annotations

import hashlib
import json
import math
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from kerasdenoise import __version__

Command = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def photos(write_photo: Write) -> Path:
    """A folder `set` of three images, of two sizes and in no order of writing."""
    for name, size in (("c.png", (40, 56)), ("a.jpg", (33, 50)), ("b.webp", (40, 56))):
        folder = write_photo(f"set/{name}", size).parent
    (folder / "readme.txt").write_text("no image")
    return folder


def measured(outcome: Any) -> dict[str, Any]:
    assert outcome.code == 0, outcome.err
    return json.loads(outcome.out)


def without_time(content: dict[str, Any]) -> dict[str, Any]:
    for result in content["results"]:
        del result["seconds_per_megapixel"]
        for image in result["images"]:
            assert image.pop("seconds") > 0
    return content


def test_the_table_shows_every_kind_of_noise(command: Command, photos: Path):
    noises = ["--noise", "gaussian:25", "--noise", "camera:0.004"]
    outcome = command("evaluate", "tiny", "set", *noises)
    assert outcome.code == 0
    # The weights are random: what they make of images is worse than those.
    lines = outcome.err.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["warning", "gaussian:25"],
        ["warning", "camera:0.004"],
    ]
    assert "tiny on set" in outcome.out
    for label in ("noise", "images", "noisy PSNR", "PSNR", "SSIM", "s/megapixel"):
        assert label in outcome.out
    figures = r"\s+│\s+3 │\s+\d+\.\d\d │\s+\d+\.\d\d ± \d\.\d\d │\s+0\.\d{4} ± 0\.\d{4} │"
    for noise in ("gaussian:25", "camera:0.004"):
        assert re.search(noise + figures, outcome.out), outcome.out


def test_other_metrics_are_measured_on_request(command: Command, photos: Path):
    outcome = command(
        "evaluate", "tiny", "set", "--noise", "gaussian:25", "--metrics", "gmsd", "--json", "-"
    )
    assert "GMSD" in outcome.err
    (result,) = measured(outcome)["results"]
    values = [image["gmsd"] for image in result["images"]]
    assert result["mean"]["gmsd"] == pytest.approx(sum(values) / 3)
    assert all(0 < value < 1 for value in values)
    refused = command("evaluate", "tiny", "set", "--noise", "gaussian:25", "--metrics", "lpips")
    assert refused.code == 2
    assert "metric 'lpips'" in refused.err


def test_json_alone_goes_to_standard_output(command: Command, photos: Path, models: Path):
    outcome = command("evaluate", "tiny", "set", "--noise", "gaussian:25", "--json", "-")
    content = measured(outcome)
    assert "noisy PSNR" in outcome.err
    model = models / "tiny" / "model.tflite"
    assert content["kerasdenoise"] == __version__
    assert content["model"] == {
        "name": "tiny",
        "sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
    }
    assert (content["folder"], content["seed"], content["gray"]) == ("set", 0, False)
    (result,) = content["results"]
    assert result["noise"] == "gaussian:25"
    assert result["failed"] == []
    assert result["seconds_per_megapixel"] > 0
    assert [image["name"] for image in result["images"]] == ["a.jpg", "b.webp", "c.png"]
    assert (result["images"][0]["height"], result["images"][0]["width"]) == (33, 50)
    for figure in ("noisy_psnr", "psnr", "ssim"):
        values = [image[figure] for image in result["images"]]
        mean = sum(values) / 3
        deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / 2)
        assert result["mean"][figure] == pytest.approx(mean)
        assert result["standard_error"][figure] == pytest.approx(deviation / math.sqrt(3))
    # What sigma says, only if nothing is clipped.
    expected = -20 * math.log10(25 / 255)
    assert result["mean"]["noisy_psnr"] == pytest.approx(expected, abs=0.2)


def test_other_qualities_give_other_figures(command: Command, photos: Path, models: Path):
    options = ["evaluate", "tiny", "set", "--noise", "gaussian:25", "--json", "-"]
    balanced, best = (
        measured(command(*options, "--quality", quality)) for quality in ("balanced", "best")
    )
    assert (balanced["quality"], best["quality"]) == ("balanced", "best")
    figures = [each["results"][0]["mean"]["psnr"] for each in (balanced, best)]
    assert figures[0] != figures[1]
    outcome = command(*options, "--quality", "fast")
    assert outcome.code == 2
    assert "8-bit integers" in outcome.err


def test_figures_depend_on_nothing_but_seed_and_image(command: Command, photos: Path):
    evaluate = ["evaluate", "tiny", "set", "--json", "-", "--noise"]
    noises = ["gaussian:25", "--noise", "camera"]
    full = without_time(measured(command(*evaluate, *noises)))
    turned = without_time(measured(command(*evaluate, "camera", "--noise", "gaussian:25")))
    assert turned["results"] == full["results"][::-1]
    first = without_time(measured(command(*evaluate, *noises, "--limit", 1)))
    for part, whole in zip(first["results"], full["results"], strict=True):
        assert part["images"] == whole["images"][:1]
        assert part["standard_error"]["psnr"] is None
    other = without_time(measured(command(*evaluate, *noises, "--limit", 1, "--seed", 1)))
    for mine, theirs in zip(other["results"], first["results"], strict=True):
        assert mine["mean"]["psnr"] != theirs["mean"]["psnr"]


def test_camera_noise_is_measured_on_a_crop(command: Command, photos: Path):
    outcome = command("evaluate", "tiny", "set", "--noise", "camera", "--json", "-")
    sizes = {(i["height"], i["width"]) for i in measured(outcome)["results"][0]["images"]}
    assert sizes == {(32, 48)}


@pytest.mark.parametrize("model", ["tiny", "tiny_gray"])
def test_gray_images_and_images_made_gray(command: Command, photos: Path, model: str):
    Image.open(photos / "c.png").convert("L").save(photos / "gray.png")
    outcome = command("evaluate", model, "set", "--noise", "gaussian:25", "--gray", "--json", "-")
    images = measured(outcome)["results"][0]["images"]
    # The PNG's own gray is rounded to 8 bits.
    assert images[3]["name"] == "gray.png"
    assert images[3]["ssim"] == pytest.approx(images[2]["ssim"], abs=0.05)


def test_json_is_written_to_a_file_but_over_none(command: Command, photos: Path, tmp_path: Path):
    evaluate = ["evaluate", "tiny", "set", "--noise", "gaussian:25", "--json", "figures.json"]
    outcome = command(*evaluate, "--threads", 1)
    assert outcome.code == 0
    assert "gaussian:25" in outcome.out
    target = tmp_path / "figures.json"
    assert json.loads(target.read_text(encoding="utf-8"))["threads"] == 1
    target.write_text("precious")
    refused = command(*evaluate)
    assert (refused.code, refused.out) == (2, "")
    assert re.search(r"figures\.json: already exists.*--overwrite", refused.only_error)
    assert target.read_text() == "precious"
    assert command(*evaluate, "--overwrite").code == 0
    assert json.loads(target.read_text(encoding="utf-8"))["results"]
    assert {path.name for path in tmp_path.iterdir()} == {"set", "figures.json"}


@pytest.mark.parametrize(
    "names",
    [
        ("1_real.png", "1_mean.jpg", "2_real.png", "2_mean.png"),
        ("noisy/1.png", "clean/1.png", "noisy/2.jpg", "clean/2.jpg"),
    ],
    ids=["polyu", "folders"],
)
def test_pairs_import_no_tensorflow(
    run_cli: Callable[..., subprocess.CompletedProcess], write_photo: Write, names: tuple[str, ...]
):
    for name in names:
        write_photo(f"set/{name}")
    result = run_cli(
        "evaluate", "tiny", "set", "--pairs", "--json", "-", python=["-X", "importtime"]
    )
    assert result.returncode == 0, result.stderr
    (figures,) = json.loads(result.stdout)["results"]
    assert figures["noise"] == "pairs"
    assert [image["name"] for image in figures["images"]] == [
        Path(names[0]).name,
        Path(names[2]).name,
    ]
    modules = re.findall(r"^import time:.*\|\s+(\S+)$", result.stderr, re.MULTILINE)
    assert "numpy" in modules, "the list was not understood"
    assert not {"tensorflow", "keras"} & {module.partition(".")[0] for module in modules}


def test_equal_pairs_are_null_in_json_and_inf_in_the_table(command: Command, write_photo: Write):
    write_photo("set/1_real.png")
    write_photo("set/1_mean.png")
    outcome = command("evaluate", "tiny", "set", "--pairs", "--json", "-")
    assert measured(outcome)["results"][0]["mean"]["noisy_psnr"] is None
    assert "inf" in outcome.err


def test_an_image_that_fails_is_named_and_the_others_are_measured(command: Command, photos: Path):
    (photos / "b.webp").write_bytes(b"no picture")
    Image.new("RGB", (40, 10)).save(photos / "small.png")
    outcome = command("evaluate", "tiny", "set", "--noise", "gaussian:25", "--json", "-")
    assert outcome.code == 1
    (result,) = json.loads(outcome.out)["results"]
    assert [image["name"] for image in result["images"]] == ["a.jpg", "c.png"]
    assert [failure["name"] for failure in result["failed"]] == ["b.webp", "small.png"]
    lines = outcome.err.splitlines()[-2:]
    assert lines[0].startswith(f"kerasdenoise: {Path('set', 'b.webp')}: is not an image")
    assert re.search(r"small\.png: SSIM.* 11 pixels", lines[1])


def test_camera_noise_on_gray_and_small_images_says_what_to_do(
    command: Command, write_photo: Write
):
    write_photo("set/gray.png", mode="L")
    write_photo("set/small.png", (15, 40))
    outcome = command("evaluate", "tiny", "set", "--noise", "camera")
    assert outcome.code == 1
    lines = outcome.err.splitlines()
    assert re.search(r"gray\.png: .*gray.*camera.*gaussian", lines[0])
    assert re.search(r"small\.png: .*16 x 16 pixels.*camera", lines[1])
    assert re.search(r"camera\s+│\s+0 │\s+- │\s+- │\s+- │\s+- │", outcome.out)


def test_more_is_said_on_request(command: Command, photos: Path):
    outcome = command("evaluate", "tiny", "set", "--noise", "gaussian:25", "-v")
    names = [line.partition(":")[0] for line in outcome.err.splitlines()]
    assert names == ["a.jpg", "b.webp", "c.png", "warning"]


NOISE = ["--noise", "gaussian:25"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["tiny", "set"], "Give either --noise or --pairs"),
        (["tiny", "set", "--pairs", *NOISE], "Give either --noise or --pairs"),
        (["tyny", "set", *NOISE], "model tyny: unknown; .*tiny"),
        (["tiny", "none", *NOISE], "none: no such folder; .*images"),
        (["tiny", "set/a.jpg", *NOISE], "not a folder"),
        (["tiny", "empty", *NOISE], r"empty: .*no images; .*\.bmp"),
        (["tiny", "empty", "--pairs"], "empty: .*no image"),
        (["tiny", "set", "--pairs"], r"\*_real\.\*.*\*_mean\.\*"),
        (["tiny", "set", "--noise", "gauss:25"], "kind of noise"),
        (["tiny", "set", *NOISE, "--limit", 0], "--limit"),
        (["tiny", "set", *NOISE, "--json", "empty"], "empty: .*folder"),
        (["tiny", "set", *NOISE, "--json", "none/a.json"], "none: no such folder"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    command: Command, photos: Path, args: list[object], message: str
):
    photos.with_name("empty").mkdir()
    outcome = command("evaluate", *args)
    assert (outcome.code, outcome.out) == (2, "")
    assert re.search(message, outcome.only_error)
