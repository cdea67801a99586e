"""The page in a real browser, against the Python engine on the same photo.

Needs Node.js, Chromium and what `make web` installs.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
WEB = ROOT / "apps" / "web"
NODE = shutil.which("node")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)

needs_node = pytest.mark.skipif(NODE is None, reason="needs Node.js")
needs_browser = pytest.mark.skipif(
    NODE is None or CHROMIUM is None or not (WEB / "node_modules" / "playwright-core").is_dir(),
    reason="needs Node.js, Chromium and `make web`",
)

HEIGHT, WIDTH = 700, 900
MAKER, ORIENTATION, TURNED_RIGHT = 0x010F, 0x0112, 6


@needs_node
def test_the_scripts_that_need_no_browser_do_what_they_say():
    result = subprocess.run(
        [NODE, "--test", *map(str, sorted((WEB / "test").glob("*.test.mjs")))],
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


@needs_browser
@pytest.mark.parametrize("name", ["tiny", pytest.param("photo", marks=pytest.mark.slow)])
def test_the_page_denoises_as_the_engine_does_with_the_server_gone(
    name: str, models_folder: Path, tmp_path: Path
):
    from kerasdenoise import Denoiser

    model = (models_folder if name == "tiny" else ROOT / "saved_models") / name
    noisy = write_photos(tmp_path)
    seen = use_page(tmp_path, model, "precise")
    denoised = Denoiser(model)(noisy)

    assert seen["state"] == "ready"
    assert seen["isolated"], "without isolation there are no threads"
    assert seen["errors"] == []
    assert all(url.startswith(seen["address"]) for url in seen["requests"])
    assert [url for url in seen["later"] if not url.startswith("blob:")] == []
    assert seen["longest"] < 100, "the page stood still for so many milliseconds"

    # That seams are exactly nothing is in this comparison: the engine's tiles are others.
    assert largest_difference(read(tmp_path / "whole_saved.png"), denoised) <= 1
    half = (noisy.astype(np.float32) + denoised) / 2
    assert largest_difference(read(tmp_path / "half_saved.png"), half) <= 1
    assert seen["whole_saved.png"] == "photo_denoised.png"

    # What is seen, on both sides of the line, away from it and from the words.
    left, right, top = slice(0, 200), slice(260, None), slice(0, 300)
    quarter = read(tmp_path / "quarter.png")
    assert largest_difference(quarter[top, left], noisy[top, left]) <= 1
    assert largest_difference(quarter[top, right], denoised[top, right]) <= 2
    assert largest_difference(read(tmp_path / "half.png")[top, right], half[top, right]) <= 2
    assert seen["split"] == "98"

    assert seen["turned_saved.jpg"] == "turned_denoised.jpg"
    with Image.open(tmp_path / "turned_saved.jpg") as turned:
        assert turned.size == (40, 60)
        assert turned.getexif()[MAKER] == "Kamera"
        assert turned.getexif()[ORIENTATION] == 1
        upright = np.asarray(turned.convert("L"), np.float32)
    assert upright[:20].mean() > upright[40:].mean() + 100, "it was not turned"

    assert seen["failure"].startswith("page.mjs: this browser cannot read it")
    assert seen["cleared"]


@needs_browser
def test_the_fast_model_is_the_one_of_integers(tmp_path: Path):
    from kerasdenoise import Denoiser

    noisy = write_photos(tmp_path)
    model = write_models(tmp_path)
    seen = use_page(tmp_path, model, "fast")
    assert seen["errors"] == []
    whole = read(tmp_path / "whole_saved.png")
    assert largest_difference(whole, Denoiser(tmp_path / "integers")(noisy)) <= 1
    assert largest_difference(whole, Denoiser(model)(noisy)) > 1, "it was the other model"


def use_page(folder: Path, model: Path, kind: str) -> dict[str, Any]:
    """Lets `page.mjs` use the page, of which the server ends once the page is loaded."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), "app", "--model", str(model)],
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as server:
        try:
            found = re.search(r"http://[\d.:]+/", server.stderr.readline())
            assert found is not None
            photos = [str(folder / "photo.png"), str(folder / "turned.jpg")]
            with subprocess.Popen(
                [NODE, str(WEB / "test" / "page.mjs"), CHROMIUM, found[0], folder, *photos, kind],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            ) as browser:
                assert browser.stdout.readline() == "loaded\n"
                server.kill()
                server.wait()
                out, _ = browser.communicate("\n", timeout=600)
        finally:
            server.kill()
    assert browser.returncode == 0
    print(out)  # shown when the test fails
    return {"address": found[0], **json.loads(out)}


def write_photos(folder: Path) -> np.ndarray:
    """Writes a noisy photo, which is returned, and a small one that is to be turned right."""
    with Image.open(ROOT / "docs" / "images" / "sample_clean.png") as sample:
        clean = np.asarray(sample.resize((WIDTH, HEIGHT)), np.float32)
    noise = np.random.default_rng(0).normal(0, 15, clean.shape)
    noisy = np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8)
    Image.fromarray(noisy).save(folder / "photo.png")

    turned = np.zeros((40, 60, 3), np.uint8)
    turned[:, :30] = 200  # turned right, the left half is above
    exif = Image.Exif()
    exif[MAKER], exif[ORIENTATION] = "Kamera", TURNED_RIGHT
    Image.fromarray(turned).save(folder / "turned.jpg", exif=exif)
    return noisy


def write_models(folder: Path) -> Path:
    """Writes a tiny model with a file of integers, and one that has only that."""
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    import keras
    from keras import layers

    from kerasdenoise.export.litert import export_litert
    from kerasdenoise.export.quantize import write_int8

    keras.utils.set_random_seed(0)
    noisy = keras.Input((None, None, 3), name="noisy")
    hidden = layers.Conv2D(8, 5, padding="same", activation="relu")(noisy)
    noise = layers.Conv2D(3, 5, padding="same")(hidden)
    network = keras.Model(noisy, layers.Subtract()([noisy, noise]), name="tiny")
    model, integers = folder / "model", folder / "integers"
    for path in (model, integers):
        path.mkdir()
        facts = {"name": path.name, "architecture": "tiny", "summary": "Random weights"}
        facts |= {"channels": 3, "stride": 2, "radius": 4}
        facts |= {"int8": {}} if path == model else {}
        (path / "metadata.json").write_text(json.dumps(facts), encoding="utf-8")
    export_litert(network, model / "model.tflite")
    patches = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)
    write_int8(network, model / "model_int8.tflite", [patches])
    shutil.copy(model / "model_int8.tflite", integers / "model.tflite")
    return model


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b.astype(np.float32)).max())
