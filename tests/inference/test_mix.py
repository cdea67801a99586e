from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.denoiser import Denoiser, denoise
from kerasdenoise.inference.mix import add_grain, blend
from kerasdenoise.inference.settings import DenoiseSettings

LUMA = np.array([0.299, 0.587, 0.114])
RNG = np.random.default_rng(0)
CLEAN = RNG.random((9, 7, 3), np.float32)
NOISY = np.array([-0.3, 0.1, 1.7], np.float32)
DENOISED = np.array([0.2, 0.7, 1.1], np.float32)


@pytest.mark.parametrize(("strength", "expected"), [(0.0, NOISY), (1.0, DENOISED), (1.5, DENOISED)])
def test_the_ends_are_exact(strength: float, expected: np.ndarray):
    np.testing.assert_array_equal(blend(NOISY, DENOISED, strength), expected)


def test_between_is_linear_and_not_clipped():
    blended = blend(NOISY, DENOISED, 0.25)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, 0.75 * NOISY + 0.25 * DENOISED, atol=1e-6)
    assert blended.min() < 0
    assert blended.max() > 1


def test_none_is_the_denoised_image_itself():
    assert add_grain(CLEAN + 1, CLEAN, 0.0) is CLEAN


def test_noise_in_luma_comes_back_and_noise_in_color_does_not():
    gray = RNG.normal(0, 0.1, (9, 7, 1)).astype("f4")
    color = RNG.normal(0, 0.1, (9, 7, 3))
    color = (color - (color @ LUMA)[..., np.newaxis]).astype("f4")  # has no luma
    assert np.abs(color).mean() > 0.03
    kept = add_grain(CLEAN + gray + color, CLEAN, 0.4)
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, CLEAN + 0.4 * gray, atol=1e-6)


def test_gray_gets_back_all_there_is():
    noisy, denoised = CLEAN[..., :1], CLEAN[..., 1:2]
    np.testing.assert_allclose(add_grain(noisy, denoised, 1.0), noisy, atol=1e-6)


@pytest.mark.parametrize("amount", [-0.01, 1.01, float("nan")])
def test_an_amount_outside_the_range_is_refused_before_anything_else(amount: float, models: Path):
    with pytest.raises(UsageError, match=r"grain .*not between 0 and 1"):
        DenoiseSettings(keep_grain=amount)
    with pytest.raises(UsageError, match="grain"):
        denoise("missing.png", keep_grain=amount)
    with pytest.raises(UsageError, match="grain"):
        Denoiser().denoise_pixels(CLEAN, keep_grain=amount)


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_it_is_part_of_what_was_removed_whatever_the_tiles(models: Path, strength: float):
    noisy = RNG.normal(0.5, 0.2, (40, 50, 3)).astype("f4")
    plain = Denoiser().denoise_pixels(noisy, strength)
    kept = Denoiser(tile=20).denoise_pixels(noisy, strength, keep_grain=0.5)
    expected = plain + 0.5 * ((noisy - plain) @ LUMA)[..., np.newaxis]
    np.testing.assert_allclose(kept, expected, atol=1e-6)
    assert np.abs(kept - plain).mean() > 0.001


def test_it_is_the_same_for_all_that_is_an_image(
    models: Path, write_photo: Callable[..., Path], tmp_path: Path
):
    source = write_photo("photo.png")
    picture = Image.open(source)
    noisy = np.asarray(picture)
    expected = denoise(noisy, keep_grain=0.7)
    assert not np.array_equal(expected, denoise(noisy))
    target = denoise(source, keep_grain=0.7, output=tmp_path / "out.png")
    encoded = denoise(source.read_bytes(), keep_grain=0.7)
    results = [
        denoise(picture, keep_grain=0.7),
        Image.open(target),
        Image.open(io.BytesIO(encoded)),
        Denoiser()(noisy, keep_grain=0.7),
    ]
    for result in results:
        np.testing.assert_array_equal(np.asarray(result), expected)
