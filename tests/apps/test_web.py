"""The page in a real browser, against the Python engine on the same photo.

Needs Node.js, Chromium and what `make web` installs.
"""

from __future__ import annotations

import gzip
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

from kerasdenoise.inference.mix import mix
from kerasdenoise.inference.settings import DenoiseSettings
from kerasdenoise.web.page import collect_page, write_page
from kerasdenoise.zoo import find_model

ROOT = Path(__file__).parents[2]
WEB = ROOT / "apps" / "web"
NODE = shutil.which("node") or ""
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), "")

needs_node = pytest.mark.skipif(not NODE, reason="needs Node.js")
needs_browser = pytest.mark.skipif(
    not NODE or not CHROMIUM or not (WEB / "node_modules" / "playwright-core").is_dir(),
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
def test_the_built_page_is_what_its_source_gives(tmp_path: Path):
    subprocess.run([NODE, str(WEB / "build.mjs"), str(tmp_path)], check=True)
    built = ROOT / "kerasdenoise" / "web" / "static"
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == sorted(file.name for file in built.iterdir())
    for name in names:
        contents = [(folder / name).read_bytes() for folder in (tmp_path, built)]
        if name.endswith(".gz"):  # compressed a little better by one version than by another
            contents = list(map(gzip.decompress, contents))
        assert contents[0] == contents[1], f"{name}: run `make web`"


@needs_browser
@pytest.mark.parametrize("name", ["tiny", pytest.param("photo", marks=pytest.mark.slow)])
def test_the_page_denoises_as_the_engine_does_with_the_server_gone(
    name: str, models_folder: Path, tmp_path: Path
):
    from kerasdenoise import Denoiser

    model = (models_folder if name == "tiny" else ROOT / "saved_models") / name
    noisy = write_photos(tmp_path)
    seen = use_page(tmp_path, [str(ROOT / "cli.py"), "app", "--model", str(model)], "precise")
    denoised = Denoiser(model)(noisy)

    assert seen["isolated"]
    assert seen["address"] + "litert_wasm_threaded_internal.wasm" in seen["requests"]
    check_privacy(seen)
    assert seen["longest"] < 100, "the page stood still for so many milliseconds"
    assert seen["busiest"] < 100, "it needed the processor for so many milliseconds"
    assert seen["noticed"], "long tasks are not seen at all"
    check_progress(seen)
    assert seen["overflow"] == {"1280": 0, "390": 0}, "the page is wider than the screen"

    # That seams are exactly nothing is in this comparison: the engine's tiles are others.
    assert largest_difference(read(tmp_path / "whole_saved.png"), denoised) <= 1
    half = (noisy.astype(np.float32) + denoised) / 2
    assert largest_difference(read(tmp_path / "half_saved.png"), half) <= 1
    assert seen["whole_saved.png"] == "photo_denoised.png"

    # The page knows no level of the noise, and its results are rounded before they are mixed.
    mixed, whole = read(tmp_path / "mixed_saved.png"), read(tmp_path / "whole_saved.png")
    settings = DenoiseSettings(0.8, luma=0.3, detail=1)
    assert largest_difference(mixed, mix_whole(noisy, whole, settings)) <= 1
    assert largest_difference(mixed, denoised) > 5
    assert largest_difference(read(tmp_path / "again_saved.png"), denoised) <= 1

    # What is seen, on both sides of the line, away from it and from the words.
    left, right, top = slice(0, 200), slice(260, None), slice(0, 300)
    quarter = read(tmp_path / "quarter.png")
    assert largest_difference(quarter[top, left], noisy[top, left]) <= 1
    assert largest_difference(quarter[top, right], denoised[top, right]) <= 2
    assert largest_difference(read(tmp_path / "half.png")[top, right], half[top, right]) <= 2
    # The browser mixes by strength what is already rounded and clipped.
    full = mix_whole(noisy, whole, DenoiseSettings(luma=0.3, detail=1))
    expected = (noisy + 0.8 * (full - noisy))[top, right]
    assert largest_difference(read(tmp_path / "mixed.png")[top, right], expected) <= 2
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
def test_the_fast_model_is_the_one_of_integers_and_keeps_the_tone(tmp_path: Path):
    from kerasdenoise import Denoiser

    noisy = write_photos(tmp_path)
    model = write_models(tmp_path)
    seen = use_page(tmp_path, [str(ROOT / "cli.py"), "app", "--model", str(model)], "fast")
    assert seen["errors"] == []
    whole = read(tmp_path / "whole_saved.png")
    assert largest_difference(whole, Denoiser(tmp_path / "integers")(noisy)) <= 1
    assert largest_difference(whole, Denoiser(model)(noisy)) > 1, "it was the other model"
    assert np.abs((whole - noisy).mean(axis=(0, 1))).max() < 1
    raw = Denoiser(without_tone(tmp_path / "integers"))(noisy)
    assert largest_difference(whole, raw) > 10, "nothing had to be taken back"


@needs_browser
def test_a_server_of_files_serves_the_page_as_well(models_folder: Path, tmp_path: Path):
    from kerasdenoise import Denoiser

    model, page = models_folder / "tiny", tmp_path / "under" / "page"
    write_page(collect_page(find_model(str(model))), page)
    noisy = write_photos(tmp_path)
    serve = ["-u", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(tmp_path), "0"]
    seen = use_page(tmp_path, serve, "precise", path="under/page/")

    assert not seen["isolated"], "such a server sends no headers"
    assert seen["address"] + "litert_wasm_compat_internal.wasm" in seen["requests"]
    check_privacy(seen)
    denoised = Denoiser(model)(noisy)
    assert largest_difference(read(tmp_path / "whole_saved.png"), denoised) <= 1


def mix_whole(noisy: np.ndarray, denoised: np.ndarray, settings: DenoiseSettings) -> np.ndarray:
    """Mixes whole pictures of 8 bits, where the level of the noise is unknown."""
    sides = [(settings.margin, settings.margin)] * 2 + [(0, 0)]
    before, after = (
        np.pad(each / np.float32(255), sides, mode="reflect") for each in (noisy, denoised)
    )
    return 255 * mix(before, after, after, settings).clip(0, 1)


def check_privacy(seen: dict[str, Any]) -> None:
    """Only the page's own files were asked for, none once it was loaded, and nothing else can."""
    assert (seen["state"], seen["errors"]) == ("ready", [])
    assert seen["address"] + "model.json" in seen["requests"], "the worker's are seen too"
    assert all(url.startswith(seen["address"]) for url in seen["requests"])
    assert [url for url in seen["later"] if not url.startswith("blob:")] == []
    assert seen["forbidden"] == "connect-src"


def check_progress(seen: dict[str, Any]) -> None:
    """The bar grew, in steps, from nothing to all."""
    shares = seen["shares"]
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert any(0 < share < 1 for share in shares)


def use_page(folder: Path, serve: list[str], kind: str, path: str = "") -> dict[str, Any]:
    """Lets `page.mjs` use the page, of which the server ends once the page is loaded.

    Args:
        folder: Where the photos are, and what is saved and seen goes.
        serve: What Python is started with; the server says its address.
        kind: The model to choose.
        path: Where the page is on the server.
    """
    with subprocess.Popen(
        [sys.executable, *serve],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    ) as server:
        try:
            found = re.search(r"http://[\d.:]+/", server.stdout.readline())
            assert found is not None
            address = found[0] + path
            photos = [str(folder / "photo.png"), str(folder / "turned.jpg")]
            with subprocess.Popen(
                [NODE, str(WEB / "test" / "page.mjs"), CHROMIUM, address, folder, *photos, kind],
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
    return {"address": address, **json.loads(out)}


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

    from kerasdenoise.export.kinds import write_int8
    from kerasdenoise.export.litert import export_litert

    keras.utils.set_random_seed(0)
    noisy = keras.Input((None, None, 3), name="noisy")
    hidden = layers.Conv2D(8, 5, padding="same", activation="relu")(noisy)
    noise = layers.Conv2D(3, 5, padding="same")(hidden)
    network = keras.Model(noisy, layers.Subtract()([noisy, noise]), name="tiny")
    model, integers = folder / "model", folder / "integers"
    for path in (model, integers):
        path.mkdir()
        facts = {"name": path.name, "architecture": "tiny", "summary": "Random weights"}
        facts |= {"channels": 3, "stride": 2, "radius": 4, "keeps_tone": True}
        facts |= {"int8": {}} if path == model else {}
        (path / "metadata.json").write_text(json.dumps(facts), encoding="utf-8")
    export_litert(network, model / "model.tflite")
    patches = np.random.default_rng(0).random((8, 64, 64, 3), np.float32)
    write_int8(network, model / "model_int8.tflite", [patches])
    shutil.copy(model / "model_int8.tflite", integers / "model.tflite")
    return model


def without_tone(folder: Path) -> Path:
    """Makes a model one whose tone is not kept."""
    path = folder / "metadata.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(facts | {"keeps_tone": False}), encoding="utf-8")
    return folder


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), np.float32)


def largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b.astype(np.float32)).max())
