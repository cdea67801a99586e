from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.inference.denoiser import Denoiser, denoise
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.inference.network import ALL_TURNS


def _noisy(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height)
    return rng.random((height, width, channels), np.float32)


def _picture(height: int, width: int) -> np.ndarray:
    """Pixels as a file of 8 bits has them."""
    return np.rint(255 * _noisy(height, width)).astype(np.float32) / np.float32(255)


def _turned(pixels: np.ndarray, denoise_one) -> np.ndarray:
    """The mean over all turns, of a function of an image."""
    results = [
        turn.undo(denoise_one(turn.apply(pixels[np.newaxis])[0])[np.newaxis])[0]
        for turn in ALL_TURNS
    ]
    return np.mean(results, axis=0)


@pytest.fixture(params=["tiny", "tiny_gray", "guided", "global"])
def model(request: pytest.FixtureRequest, models: Path) -> Path:
    if request.param in ("guided", "global"):
        return request.getfixturevalue(f"{request.param}_folder")
    return models / request.param


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(64, 64), (32, 96)])
def test_best_is_the_mean_over_all_turns_of_the_image(
    model: Path, size: tuple[int, int], channels: int
):
    pixels = _noisy(*size, channels)
    balanced = Denoiser(model, tile=10_000)
    best = Denoiser(model, tile=10_000, quality="best").denoise_pixels(pixels)
    np.testing.assert_allclose(best, _turned(pixels, balanced.denoise_pixels), atol=1e-5)
    assert np.abs(best - balanced.denoise_pixels(pixels)).max() > 1e-3


@pytest.mark.parametrize("size", [(1, 1), (90, 41), (37, 120)])
def test_best_does_not_depend_on_the_tiles(model: Path, size: tuple[int, int]):
    pixels = _noisy(*size)
    whole = Denoiser(model, tile=10_000, quality="best")
    halo = -(-whole.info.radius // whole.info.stride) * whole.info.stride
    tiled = Denoiser(model, tile=2 * halo + 3 * whole.info.stride, quality="best")
    assert tiled.tile_count(*size) > 1 or size == (1, 1)
    expected = whole.denoise_pixels(pixels)
    np.testing.assert_allclose(tiled.denoise_pixels(pixels), expected, atol=1e-5)


def test_best_turns_with_the_image(guided_folder: Path):
    best, pixels = Denoiser(guided_folder, quality="best"), _noisy(48, 64)
    expected = best.denoise_pixels(pixels)
    turned = best.denoise_pixels(np.rot90(pixels))
    np.testing.assert_allclose(np.rot90(turned, -1), expected, atol=1e-5)
    level = best.estimate_noise(pixels)
    assert level.shape == (48, 64)
    assert np.ptp(level) > 1e-3
    np.testing.assert_allclose(
        np.rot90(best.estimate_noise(np.rot90(pixels)), -1), level, atol=1e-5
    )


def test_best_can_be_told_the_level_and_more_of_it(guided_folder: Path):
    pixels = _noisy(48, 40)
    told = Denoiser(guided_folder, quality="best", sigma=0.2).denoise_pixels(pixels)
    raised = Denoiser(guided_folder, quality="best", sigma=0.1).denoise_pixels(pixels, 2.0)
    np.testing.assert_array_equal(told, raised)


def test_balanced_is_what_there_is_without_saying(models: Path):
    pixels = _noisy(30, 40)
    np.testing.assert_array_equal(denoise(pixels, quality="balanced"), denoise(pixels))
    assert Denoiser().quality == "balanced"


def test_fast_runs_the_integer_file(guided_folder: Path):
    fast = Denoiser(guided_folder, quality="fast")
    halo = -(-fast.info.radius // fast.info.stride) * fast.info.stride
    pixels = _picture(40, 48)
    wide = np.pad(pixels, ((halo, halo), (halo, halo), (0, 0)), mode="reflect")
    engine = LiteRTEngine(guided_folder / "model_int8.tflite")
    (expected,) = engine({"noisy": wide[np.newaxis]}).values()
    denoised = fast.denoise_pixels(pixels)
    np.testing.assert_array_equal(denoised, expected[0, halo:-halo, halo:-halo])
    assert np.abs(denoised - pixels).max() > 0.01
    assert np.abs(denoised - Denoiser(guided_folder).denoise_pixels(pixels)).max() > 1e-4


@pytest.mark.parametrize("size", [(1, 1), (1, 130), (90, 41), (64, 120)])
def test_fast_in_tiles_is_exactly_fast_in_one(guided_folder: Path, size: tuple[int, int]):
    pixels = _picture(*size)
    whole = Denoiser(guided_folder, tile=10_000, quality="fast")
    halo = -(-whole.info.radius // whole.info.stride) * whole.info.stride
    tiled = Denoiser(guided_folder, tile=2 * halo + 2 * whole.info.stride, quality="fast")
    assert tiled.tile_count(*size) > 1 or size == (1, 1)
    np.testing.assert_array_equal(tiled.denoise_pixels(pixels), whole.denoise_pixels(pixels))


def test_fast_goes_by_no_level(guided_folder: Path):
    with pytest.raises(UsageError, match=r"sigma 51/255: .*'fast'.*noise level"):
        Denoiser(guided_folder, quality="fast", sigma=0.2)
    fast = Denoiser(guided_folder, quality="fast")
    assert not fast.info.follows_level
    with pytest.raises(UsageError, match=r"strength 1\.5"):
        fast.denoise_pixels(_noisy(8, 8), 1.5)
    assert len(np.unique(fast.estimate_noise(_noisy(40, 40)))) == 1


def test_fast_takes_part_of_it_too(guided_folder: Path):
    fast, pixels = Denoiser(guided_folder, quality="fast"), _picture(32, 32)
    halfway = (pixels + fast.denoise_pixels(pixels)) / 2
    np.testing.assert_allclose(fast.denoise_pixels(pixels, 0.5), halfway, atol=1e-6)


@pytest.mark.parametrize("name", ["tiny", "global"])
def test_fast_needs_an_integer_file(name: str, models: Path, global_folder: Path):
    model = global_folder if name == "global" else models / name
    with pytest.raises(UsageError, match="8-bit integers"):
        Denoiser(model, quality="fast")


def test_an_integer_file_that_is_lost_is_named(guided_folder: Path, tmp_path: Path):
    for name in ("metadata.json", "config.json", "model.tflite"):
        (tmp_path / name).write_bytes((guided_folder / name).read_bytes())
    with pytest.raises(ModelError, match=r"model_int8\.tflite: is missing.*unet"):
        Denoiser(tmp_path, quality="fast")


def test_another_quality_is_refused(models: Path):
    with pytest.raises(UsageError, match=r"quality 'perfect': .*; use fast, bal"):
        denoise(_noisy(4, 4), quality="perfect")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("options", [{"quality": "best"}, {"max_memory": 10**9}])
def test_a_denoiser_has_its_own(options: dict, models: Path):
    with pytest.raises(UsageError, match=r"setting of the Denoiser"):
        denoise(_noisy(4, 4), model=Denoiser(), **options)
