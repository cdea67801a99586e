"""Shipped models leave the tone of a picture alone, of any size and in the dark."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.inference.denoiser import Denoiser

SHIPPED = Path(__file__).parents[2] / "saved_models"
MODELS = sorted(json.loads((SHIPPED / "index.json").read_text("utf-8"))["models"])
# Where many pictures are denoised, the largest takes a minute; of it, the night sky has to do.
MANY = [pytest.param(name, marks=pytest.mark.slow if "large" in name else ()) for name in MODELS]
TOLERANCE = 0.5 / 255
# What a tone curve did to the mean is guessed.
LOOSE = 1 / 255
# Lines of single pixels are like nothing that a network was trained on.
LINES = 2 / 255
# Gaussian noise of these levels of 255, which keeps the mean but for clipping. In the dark that
# makes a picture brighter than the scene, and a denoiser right that makes it darker again.
GAUSSIAN = ["gaussian:5", "gaussian:15", "gaussian:50"]
# Noise that passes a camera's tone curve changes the mean, most of all in the dark.
CAMERA = ["camera:0.0003", "camera:0.001"]


@pytest.fixture(scope="module", params=MANY)
def denoiser(request: pytest.FixtureRequest) -> Denoiser:
    return Denoiser(request.param)


def _as_picture(pixels: np.ndarray) -> np.ndarray:
    """Pixels as a file of 8 bits has them: clipped, in the dark at 0, and rounded."""
    return np.rint(255 * np.clip(pixels, 0, 1)).astype(np.float32) / np.float32(255)


def _add_noise(clean: np.ndarray, noise: str) -> np.ndarray:
    from kerasdenoise.runtime import prepare_keras

    prepare_keras()
    import keras

    from kerasdenoise.noise import parse_noise

    noisy = parse_noise(noise)(clean[np.newaxis], keras.random.SeedGenerator(0))
    return _as_picture(keras.ops.convert_to_numpy(noisy)[0])


def _shift(denoiser: Denoiser, noisy: np.ndarray) -> np.ndarray:
    """How much each channel's mean changes, of 1; rounding to 8 bits is not the model's."""
    change = np.clip(denoiser.denoise_pixels(noisy), 0, 1) - noisy
    return change.mean(axis=(0, 1), dtype=np.float64)


# Of single pixels, a line much longer than a network sees takes as long as a photo.
@pytest.mark.parametrize("size", [(1, 1), (1, 1200), (1200, 1), (2, 2)])
def test_a_flat_image_of_any_size_keeps_its_tone(denoiser: Denoiser, size: tuple[int, int]):
    color = np.full((*size, 3), (0.2, 0.5, 0.7), np.float32)
    denoised = denoiser.denoise_pixels(color)
    assert denoised.shape == color.shape
    assert np.abs(denoised - color).max() < 2 / 255
    for level in (0, 32, 255):
        gray = np.full((*size, 3), level / 255, np.float32)
        assert np.abs(_shift(denoiser, gray)).max() < LOOSE


@pytest.mark.parametrize("level", [0, 1, 2, 4, 8, 32, 128, 250, 255])
def test_a_flat_gray_keeps_its_tone(denoiser: Denoiser, level: int):
    for size in ((64, 64), (150, 70)):
        gray = np.full((*size, 3), level / 255, np.float32)
        assert np.abs(_shift(denoiser, gray)).max() < TOLERANCE


@pytest.mark.parametrize("size", [(1, 1), (1, 1500), (1500, 1), (2, 2)])
def test_a_noisy_image_of_any_size_stays_within_reason(denoiser: Denoiser, size: tuple[int, int]):
    noisy = _as_picture(np.random.default_rng(0).normal(0.5, 0.08, (*size, 3)))
    denoised = denoiser.denoise_pixels(noisy)
    assert denoised.shape == noisy.shape
    assert np.abs(denoised - noisy).max() < 0.35
    if max(size) > 2:
        assert denoised.std() < 0.8 * noisy.std()
        assert np.abs(_shift(denoiser, noisy)).max() < LINES


def _error(denoised: np.ndarray, noisy: np.ndarray, clean: np.ndarray) -> np.ndarray:
    """How much further each channel's mean is from the clean one's than it was."""
    before, after = (
        np.abs((pixels - clean).mean(axis=(0, 1), dtype=np.float64))
        for pixels in (noisy, np.clip(denoised, 0, 1))
    )
    return after - before


@pytest.mark.parametrize("noise", GAUSSIAN)
@pytest.mark.parametrize("level", [0, 2, 8, 32, 128, 240])
def test_a_noisy_flat_gets_neither_darker_nor_tinted(denoiser: Denoiser, level: int, noise: str):
    clean = np.full((192, 192, 3), level / 255, np.float32)
    noisy = _add_noise(clean, noise)
    assert _error(denoiser.denoise_pixels(noisy), noisy, clean).max() < TOLERANCE


@pytest.mark.parametrize("noise", CAMERA)
@pytest.mark.parametrize("level", [0, 2, 8, 32, 128, 240])
def test_what_a_camera_tinted_is_tinted_no_further(denoiser: Denoiser, level: int, noise: str):
    clean = np.full((192, 192, 3), level / 255, np.float32)
    noisy = _add_noise(clean, noise)
    assert _error(denoiser.denoise_pixels(noisy), noisy, clean).max() < LOOSE


@pytest.mark.parametrize("denoiser", MODELS, indirect=True)
@pytest.mark.parametrize("noise", [*GAUSSIAN, *CAMERA])
def test_a_night_sky_keeps_its_darkness_and_its_stars(denoiser: Denoiser, noise: str):
    rng = np.random.default_rng(0)
    clean = np.broadcast_to(np.linspace(0, 4 / 255, 192)[:, None, None], (192, 192, 3)).copy()
    stars = rng.integers(8, 184, (12, 2))
    for row, column in stars:
        clean[row - 1 : row + 2, column - 1 : column + 2] = 0.8
    clean = clean.astype(np.float32)
    noisy = _add_noise(clean, noise)
    limit = LOOSE if noise in CAMERA else TOLERANCE
    denoised = denoiser.denoise_pixels(noisy)
    assert _error(denoised, noisy, clean).max() < limit
    assert min(denoised[row, column].mean() for row, column in stars) > 0.4


def _patterns() -> dict[str, np.ndarray]:
    """Pictures of black and white that look like noise, and icons: uint8 (H, W, 3)."""
    rng = np.random.default_rng(0)
    rows, columns = np.indices((96, 96))
    cell = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16
    patterns = {
        "dither": rng.random((96, 96)) < 0.33,
        "ordered dither": np.tile(cell, (24, 24)) < 0.5,
        **{f"stripes of {width}": columns // width % 2 for width in (1, 2, 3)},
        "mesh": (columns % 4 == 0) | (rows % 4 == 0),
        "screentone": (columns % 6 - 2.5) ** 2 + (rows % 6 - 2.5) ** 2 < 4,
    }
    pictures = {
        name: np.repeat(255 * pattern.astype(np.uint8)[..., np.newaxis], 3, axis=2)
        for name, pattern in patterns.items()
    }
    for side in (4, 6, 8, 12, 16):
        pictures[f"icon of {side}"] = np.rint(255 * rng.random((side, side, 3))).astype(np.uint8)
    for gray in (0, 2, 20, 250, 255):
        noisy = rng.normal(gray / 255, 0.08, (96, 96, 3))
        pictures[f"clipped noise at {gray}"] = np.rint(255 * noisy.clip(0, 1)).astype(np.uint8)
    return pictures


@pytest.mark.parametrize("name", _patterns())
def test_what_is_no_noise_keeps_its_mean(denoiser: Denoiser, name: str):
    picture = _patterns()[name]
    change = denoiser(picture).astype(np.float64) - picture
    assert np.abs(change.mean(axis=(0, 1))).max() < 1
