"""Integers from file to file: the very results of float32, in less memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.images.image import Image
from kerasdenoise.images.read import read_image
from kerasdenoise.images.write import encode_image, write_image
from kerasdenoise.inference import denoiser as module
from kerasdenoise.inference.denoiser import Denoiser, denoise
from kerasdenoise.inference.engines import LiteRTEngine

pytestmark = pytest.mark.usefixtures("models")


def _content(bit_depth: int, channels: int = 3, size: tuple[int, int] = (60, 90)) -> bytes:
    pixels = np.random.default_rng(0).random((*size, channels), np.float32)
    return encode_image(Image(pixels, bit_depth=bit_depth, format="TIFF"))


@pytest.mark.parametrize("bit_depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("strength", "grain"), [(0, 0), (1, 0), (0.4, 0.3)])
def test_integers_give_the_same_file(bit_depth: int, channels: int, strength: float, grain: float):
    content = _content(bit_depth, channels)
    denoiser = Denoiser(tile=30)
    results = [
        encode_image(
            image.with_pixels(denoiser.denoise_pixels(image.pixels, strength, keep_grain=grain))
        )
        for image in (read_image(content), read_image(content, exact=True))
    ]
    assert results[0] == results[1]
    assert denoise(content, model=denoiser, strength=strength, keep_grain=grain) == results[0]
    assert (results[0] == content) == (strength == 0)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_the_level_is_measured_in_integers_as_in_floats(dtype: str, guided_folder: Path):
    noise = np.random.default_rng(0).normal(0.5, 0.1, (70, 80, 3)).clip(0, 1).astype("f4")
    level = Denoiser("tiny").estimate_noise(noise)
    top = np.iinfo(dtype).max if dtype != "f4" else 1
    values = (noise * top).astype(dtype)
    np.testing.assert_allclose(Denoiser("tiny").estimate_noise(values), level, rtol=0.01)
    mean = Denoiser(guided_folder).estimate_noise(values).mean()
    assert mean == pytest.approx(Denoiser(guided_folder).estimate_noise(noise).mean(), rel=0.05)


@pytest.mark.parametrize("name", ["tiny", "guided", "global"])
def test_memory_of_tiles_is_given_back_and_taken_again(
    name: str, guided_folder: Path, global_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = {"tiny": "tiny", "guided": guided_folder, "global": global_folder}[name]
    pixels = np.random.default_rng(0).random((64, 96, 3), np.float32)
    denoiser = Denoiser(folder)
    expected = denoiser.denoise_pixels(pixels)
    engine = denoiser._network._tile
    assert isinstance(engine, LiteRTEngine)
    before = engine._interpreter
    monkeypatch.setattr(module, "_LARGE", pixels.nbytes - 1)
    for _ in range(2):
        np.testing.assert_array_equal(denoiser.denoise_pixels(pixels), expected)
    assert engine._interpreter is not before


def test_a_file_is_denoised_in_twice_its_pixels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    # Copies of 16 MP that are float32 would take 192 MB each, tables of Pillow's are not counted.
    pixels = np.full((4000, 4000, 3), 128, np.uint8)
    write_image(Image(pixels, format="JPEG"), tmp_path / "a.jpg")
    denoiser = Denoiser(tile=1024)
    monkeypatch.setattr(denoiser._network, "denoise", lambda noisy, *_: noisy)
    tracemalloc.start()
    denoiser(tmp_path / "a.jpg")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * pixels.nbytes + 90_000_000
    assert read_image(tmp_path / "a_denoised.jpg").height == 4000
