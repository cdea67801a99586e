from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.denoiser import Denoiser, denoise
from kerasdenoise.inference.mix import add_grain, blend, find_detail, mix
from kerasdenoise.inference.settings import DETAIL_MARGIN, DenoiseSettings
from kerasdenoise.inference.tiles import _MIXING_BYTES

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
    with pytest.raises(UsageError, match=r"grain .*0 and 1"):
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


def _noise(*size: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0.5, 0.2, size).astype("f4")


@pytest.mark.parametrize("strength", [0.0, 0.4, 1.0])
def test_one_luma_and_one_chroma_are_the_strength_exactly(models: Path, strength: float):
    noisy = _noise(40, 50, 3)
    denoiser = Denoiser(tile=20)
    full = denoiser.denoise_pixels(noisy)
    expected = full if strength == 1 else noisy + np.float32(strength) * (full - noisy)
    for result in (
        denoiser.denoise_pixels(noisy, strength, luma=1.0, chroma=1.0),
        denoiser.denoise_pixels(noisy, strength, detail=0.0),
    ):
        np.testing.assert_array_equal(result, expected)
    both = denoiser.denoise_pixels(noisy, luma=strength, chroma=strength)
    np.testing.assert_array_equal(both, expected)


def test_luma_and_chroma_are_shares_of_what_was_removed(models: Path):
    noisy = _noise(40, 50, 3)
    removed = Denoiser().denoise_pixels(noisy) - noisy
    change = (removed @ LUMA)[..., np.newaxis]
    result = Denoiser(tile=20).denoise_pixels(noisy, 0.5, luma=0.6, chroma=1.6)
    expected = noisy + 0.3 * change + 0.8 * (removed - change)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    grainy = Denoiser().denoise_pixels(noisy, 0.5, luma=0.6, chroma=1.6, keep_grain=1)
    np.testing.assert_allclose(grainy, noisy + 0.8 * (removed - change), atol=1e-6)


def test_gray_images_have_no_chroma(models: Path, monkeypatch: pytest.MonkeyPatch):
    gray, denoiser = _noise(30, 40, 1), Denoiser()
    expected = denoiser.denoise_pixels(gray)
    np.testing.assert_array_equal(denoiser.denoise_pixels(gray, chroma=0.2), expected)
    monkeypatch.setattr(denoiser, "_network", None)  # is not asked for nothing
    np.testing.assert_array_equal(denoiser.denoise_pixels(gray, luma=0), gray)


@pytest.mark.parametrize(("luma", "chroma"), [(1.6, 0.7), (0.7, 1.6), (1.2, 2), (0, 2), (2, 0)])
def test_above_one_luma_is_of_one_result_and_chroma_of_another(
    guided_folder: Path, luma: float, chroma: float
):
    noisy = _noise(48, 64, 3)
    denoiser = Denoiser(guided_folder)
    strong = [denoiser.denoise_pixels(noisy, max(each, 1)) - noisy for each in (luma, chroma)]
    change, other = ((each @ LUMA)[..., np.newaxis] for each in strong)
    expected = noisy + min(luma, 1) * change + min(chroma, 1) * (strong[1] - other)
    halo = -(-denoiser.info.radius // denoiser.info.stride) * denoiser.info.stride
    tiled = Denoiser(guided_folder, tile=2 * halo + 3 * denoiser.info.stride)
    result = tiled.denoise_pixels(noisy, luma=luma, chroma=chroma)
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("model", ["tiny", "tiny_gray", "guided", "global"])
@pytest.mark.parametrize("channels", [1, 3])
def test_detail_does_not_depend_on_the_tiles(
    model: str, channels: int, models: Path, request: pytest.FixtureRequest
):
    folder = models / model
    if model in ("guided", "global"):
        folder = request.getfixturevalue(f"{model}_folder")
    noisy = _noise(70, 90, channels)
    noisy[20:24] += 1
    whole = Denoiser(folder)
    reach = whole.info.radius + DETAIL_MARGIN
    tiled = Denoiser(folder, tile=2 * reach + 4 * whole.info.stride)
    settings = tiled.prepare(detail=1)
    assert tiled.tile_count(70, 90, settings) > tiled.tile_count(70, 90)
    calls: list[None] = []
    result = tiled.denoise_pixels(noisy, detail=1, on_tile=lambda: calls.append(None))
    assert len(calls) == tiled.tile_count(70, 90, settings)
    expected = whole.denoise_pixels(noisy, detail=1)
    np.testing.assert_allclose(result, expected, atol=1e-5)
    plain = whole.denoise_pixels(noisy)
    assert np.abs(expected - plain).max() > 1e-3
    back = expected - plain  # nothing in color
    np.testing.assert_allclose(back, np.broadcast_to(back[..., :1], back.shape), atol=1e-5)


def test_a_tile_without_room_for_detail_is_refused_before_the_photo_is_read(models: Path):
    denoiser = Denoiser(tile=20)
    with pytest.raises(UsageError, match=r"tile 20: .*small"):
        denoiser("missing.png", detail=0.5)


def test_mixing_takes_no_more_memory_than_tiles_are_laid_for():
    noisy, denoised = _noise(542, 542, 3), _noise(542, 542, 3)
    level = np.full(noisy.shape[:2], 0.1, np.float32)
    tracemalloc.start()
    mix(noisy, denoised, denoised, DenoiseSettings(0.9, 0.5, 0.7, 1, 0.5), level)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.1 * _MIXING_BYTES * level.size


def _textured() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Luma: a fine texture on the left, the noise, and where the texture is."""
    rng = np.random.default_rng(2)
    inside = np.zeros((200, 300), bool)
    inside[:, :140] = True
    texture = np.where(inside, rng.choice([-0.15, 0.15], inside.shape), 0)
    return texture.astype("f4"), rng.normal(0, 0.04, inside.shape).astype("f4"), inside


def test_detail_is_signal_where_there_is_texture_and_nothing_in_flat_noise():
    texture, noise, inside = _textured()
    # A denoiser that takes both.
    level = np.full(noise.shape, 0.04, np.float32)
    found = find_detail(texture + noise, level, channels=1)
    inner = (slice(DETAIL_MARGIN, -DETAIL_MARGIN),) * 2
    texture, noise, inside = texture[inner], noise[inner], inside[inner]
    assert np.corrcoef(found[inside], texture[inside])[0, 1] > 0.9
    away = slice(140, None)  # columns of flat noise, away from the texture
    assert np.sqrt(np.square(found[:, away]).mean()) < 0.05 * noise.std()
    error = [np.square(each - texture).mean() for each in (0, 0.5 * found, found)]
    assert error[0] > error[1] > error[2]


def test_where_the_level_is_unknown_detail_is_what_stands_out():
    _, noise, _ = _textured()
    line = np.zeros_like(noise)
    line[:, 100] = 0.3
    found = find_detail(line + noise, None, channels=3)
    inner = (slice(DETAIL_MARGIN, -DETAIL_MARGIN),) * 2
    assert np.corrcoef(found.ravel(), line[inner].ravel())[0, 1] > 0.8
    flat = found[:, 120:]
    assert np.sqrt(np.square(flat).mean()) < 0.05 * noise.std()


def test_noise_of_a_level_that_is_too_low_does_not_come_back():
    # Of correlated noise, estimates may be far too low; the energy around then says so.
    smooth = _noise(200, 200) - 0.5
    smooth = (smooth + np.roll(smooth, 1, 0) + np.roll(smooth, 1, 1) + np.roll(smooth, (1, 1))) / 4
    level = np.full(smooth.shape, smooth.std(), np.float32)
    found = find_detail(smooth, level, channels=3)
    assert found.std() < 0.1 * smooth.std()
