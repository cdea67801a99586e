from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.noise import Camera, Gaussian, Noise
from kerasdenoise.noise.camera import _saturate, _ToneCurve
from kerasdenoise.tensors.bayer import to_mosaic

# All that follows the sensor switched off, but for the demosaic.
RAW = Camera(
    bands=(0, 0),
    directed=0.0,
    gamma=(1, 1),
    toe=(0, 0),
    contrast=(1, 1),
    gain=(1, 1),
    saturation=(1, 1),
    black=(0, 0),
    white=(1, 1),
    softness=(0, 0),
    chroma_softness=(0, 0),
    denoised=0.0,
    flattened=(0.0, 0.0),
    luma_smoothing=(0, 0),
    chroma_smoothing=(0, 0),
    blotch_smoothing=(0, 0),
    sharpening=(0, 0),
    compressed=0.0,
)


def raw(shot: float) -> Camera:
    return dataclasses.replace(RAW, shot=(shot, shot))


def drawn(noise: Noise, clean: np.ndarray, seed: int = 0) -> np.ndarray:
    noisy = keras.ops.convert_to_numpy(noise(clean, keras.random.SeedGenerator(seed)))
    assert noisy.dtype == np.float32
    assert noisy.shape == clean.shape
    return noisy


def flat(value: float, batch: int = 1, side: int = 256) -> np.ndarray:
    return np.full((batch, side, side, 3), value, np.float32)


def factor(value: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), value, np.float32)


def correlation(noise: np.ndarray, axis: int) -> float:
    """Of neighbors along an axis of (batch, height, width, channels), of one channel."""
    one = np.moveaxis(noise[..., 1], axis, 0)
    return float(np.corrcoef(one[1:].ravel(), one[:-1].ravel())[0, 1])


@pytest.mark.parametrize("shot", [0.0005, 0.002, 0.006])
def test_variance_grows_with_the_light_as_shot_noise_does(shot: float):
    values = np.linspace(0.15, 0.7, 8).astype(np.float32)
    bands = np.repeat(values, 64)[None, :, None, None]
    clean = np.broadcast_to(bands, (1, 512, 512, 3))
    added = keras.ops.convert_to_numpy(to_mosaic(drawn(raw(shot), clean) - clean))
    # Per band, over the places that were measured: 4 * 32 * 256 independent draws.
    variances = added.reshape(8, 32, 256, 4).var(axis=(1, 2, 3))
    slope, read = np.polyfit(values, variances, 1)
    assert slope == pytest.approx(shot, rel=0.06)
    # Read noise scatters around exp(1.28 log(shot) - 1.77) by a factor of exp(1) a deviation.
    assert abs(np.log(read) - (1.28 * np.log(shot) - 1.77)) < 4 * 1.0
    np.testing.assert_allclose(variances, slope * values + read, rtol=0.06)


def read_noise(shot: float) -> np.ndarray:
    """The logarithm of the variance of 400 images' read noise: in black, of which half shows."""
    added = keras.ops.convert_to_numpy(to_mosaic(drawn(raw(shot), flat(0.0, 400, 32))))
    return np.log(2 * np.mean(added**2, axis=(1, 2, 3)))


def test_read_noise_grows_with_shot_noise_and_scatters():
    middle, spread = [], []
    for shot in (0.0005, 0.004):
        low, median, high = np.quantile(read_noise(shot), [0.16, 0.5, 0.84])
        middle.append(median)
        spread.append((high - low) / 2)
    assert middle[0] == pytest.approx(1.28 * np.log(0.0005) - 1.77, abs=0.2)
    assert middle[1] - middle[0] == pytest.approx(1.28 * np.log(8), abs=0.25)
    np.testing.assert_allclose(spread, 1.0, atol=0.25)


@pytest.mark.parametrize("value", [0.3, 0.5, 0.7])
def test_in_the_mid_tones_nothing_shifts(value: float):
    added = drawn(raw(0.002), flat(value)) - value
    assert np.abs(added.mean(axis=(0, 1, 2))).max() < 0.001


def test_a_demosaic_correlates_neighbors():
    # Each kind alone, as both are drawn in any proportion.
    added = drawn(raw(0.002), flat(0.5, batch=8, side=128)) - 0.5
    white = drawn(Gaussian(0.05, 0.05), flat(0.5, batch=8, side=128)) - 0.5
    for axis in (1, 2):
        assert correlation(added, axis) > 0.15
        assert abs(correlation(white, axis)) < 0.02


def processed(**changes: Any) -> np.ndarray:
    """Luma, and blue beyond it, of raw noise that went through some more; (2, 4, 128, 128)."""
    noise = dataclasses.replace(raw(0.001), **changes)
    added = drawn(noise, flat(0.5, 4, 128)) - 0.5
    luma = added @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.stack([luma, added[..., 2] - luma])


def neighbors(plane: np.ndarray) -> float:
    return correlation(plane[..., None].repeat(2, axis=-1), 1)


def test_smoothing_spreads_noise_and_sharpening_raises_it():
    weak, none, strong = (
        processed(**changes)[0]
        for changes in (
            {"denoised": 1.0, "luma_smoothing": (0.9, 0.9), "luma_width": (1.0, 1.0)},
            {},
            {"sharpening": (0.8, 0.8)},
        )
    )
    assert weak.std() < 0.7 * none.std() < none.std() < strong.std()
    assert neighbors(weak) > neighbors(none) > neighbors(strong)


def test_chroma_is_smoothed_without_luma():
    luma, blue = processed()
    same, smoothed = processed(denoised=1.0, chroma_smoothing=(1.0, 1.0), chroma_width=(3.0, 3.0))
    np.testing.assert_allclose(same, luma, atol=2e-6)
    assert smoothed.std() < 0.3 * blue.std()
    assert neighbors(smoothed) > 0.9 > neighbors(blue)


def test_luma_is_never_smoothed_more_than_chroma():
    luma, blue = processed()
    less, also = processed(
        denoised=1.0, luma_smoothing=(0.9, 0.9), luma_width=(3.0, 3.0), chroma_width=(3.0, 3.0)
    )
    assert less.std() < 0.4 * luma.std()
    assert also.std() < 0.4 * blue.std()


def test_strong_smoothing_of_chroma_is_likelier():
    noise = dataclasses.replace(
        raw(0.001),
        scatter=0.0,
        denoised=1.0,
        chroma_smoothing=(0.0, 1.0),
        chroma_width=(4.0, 4.0),
    )
    added = drawn(noise, flat(0.5, 300, 32)) - 0.5
    luma = added @ np.array([0.299, 0.587, 0.114], np.float32)
    strengths = (added[..., 2] - luma).std(axis=(1, 2))
    # What is left of the whole is 1 - share, or a little more; half of the shares exceed 0.71.
    left = np.median(strengths) / processed(scatter=0.0)[1].std()
    assert 0.25 < left < 0.4


@pytest.mark.parametrize("bands", [0.0, 1.0])
def test_a_row_or_a_column_has_noise_of_its_own(bands: float):
    # Read noise alone, as the picture is black; its bright half survives the clipping at 0.
    noise = dataclasses.replace(raw(0.05), bands=(bands, bands))
    added = drawn(noise, flat(0.0, 24, 128))
    added = keras.ops.convert_to_numpy(to_mosaic(added))
    lines = [added.mean(axis=axis)[..., 0].std(axis=1) for axis in (2, 1)]
    weaker, stronger = np.sort(lines, axis=0) / added.std(axis=(1, 2, 3))
    assert weaker.max() < 0.3
    if bands:
        assert stronger.min() > 0.4
        # Held either way.
        assert 3 < np.sum(lines[0] > lines[1]) < 21
    else:
        assert stronger.max() < 0.3


@pytest.mark.parametrize("noise", [Camera(compressed=0.0), raw(0.002)], ids=["any", "raw"])
def test_noise_is_as_strong_at_the_borders(noise: Camera):
    added = drawn(noise, flat(0.5, 300, 32)) - 0.5
    added /= added.std(axis=(1, 2, 3), keepdims=True)
    power = np.mean(added**2, axis=(0, 3))
    inner = power[4:-4, 4:-4].mean()
    for border in (power[:2], power[-2:], power[:, :2], power[:, -2:]):
        assert border.mean() == pytest.approx(inner, rel=0.05)


def test_blotches_of_color_are_wide():
    _, fine = processed(denoised=1.0)
    luma, blue = processed(denoised=1.0, blotch_smoothing=(0.95, 0.95), blotch_width=(6.0, 6.0))
    assert distant(luma) < 0.1
    assert distant(fine) < 0.1
    assert distant(blue) > 0.3


def distant(plane: np.ndarray) -> float:
    """The correlation of pixels that are eight apart, across."""
    return float(np.corrcoef(plane[..., 8:].ravel(), plane[..., :-8].ravel())[0, 1])


def test_noise_stays_where_the_picture_is_steep():
    # Steps of a quarter of the range, each 16 pixels wide.
    steps = 0.375 + 0.25 * (np.arange(128) // 16 % 2)
    clean = np.broadcast_to(steps.astype(np.float32)[:, None], (24, 128, 128, 3))
    smoothed = {"denoised": 1.0, "luma_smoothing": (0.95, 0.95), "luma_width": (4, 4)}
    strengths = []
    for spared in (0.0, 1.0):
        noise = dataclasses.replace(raw(0.0005), scatter=0.0, spared=(spared, spared), **smoothed)
        luma = (drawn(noise, clean) - clean) @ np.array([0.299, 0.587, 0.114], np.float32)
        by_column = luma.std(axis=(0, 1))
        strengths.append((by_column[16::16].mean(), by_column[8::16].mean()))
    (edge, inside), (spared_edge, spared_inside) = strengths
    assert edge < 1.5 * inside
    assert spared_edge > 2 * edge
    assert spared_inside == pytest.approx(inside, rel=0.3)


def test_green_is_directed_in_a_share_of_the_images():
    noise = dataclasses.replace(raw(0.002), scatter=0.0, directed=0.5)
    added = drawn(noise, flat(0.5, 300, 32)) - 0.5
    # At red and blue, of which the choice and the curvature raise the deviation.
    green = np.sqrt((added[:, ::2, ::2, 1] ** 2).mean(axis=(1, 2)))
    plain = drawn(dataclasses.replace(noise, directed=0.0), flat(0.5, 300, 32)) - 0.5
    limit = np.sqrt((plain[:, ::2, ::2, 1] ** 2).mean(axis=(1, 2))).max()
    assert 0.3 < np.mean(green > limit) < 0.6


def test_a_night_mode_leaves_smooth_noise_and_blotches():
    clean = flat(0.3, 48, 96)
    far = []
    for noise in (Camera.parse("night"), dataclasses.replace(Camera(), denoised=0.0)):
        noisy, expected = noise.draw_pair(clean, keras.random.SeedGenerator(0))
        added = keras.ops.convert_to_numpy(noisy) - keras.ops.convert_to_numpy(expected)
        luma = added @ np.array([0.299, 0.587, 0.114], np.float32)
        chroma = added[..., 2] - luma
        far.append([np.median([distant(plane) for plane in part]) for part in (luma, chroma)])
    night, day = far
    assert night[0] > day[0] + 0.05
    assert night[1] > 0.3 > day[1] + 0.1


def test_chroma_may_be_softer_than_luma():
    (luma, chroma), sharp = processed(chroma_softness=(1.2, 1.2)), processed()
    np.testing.assert_allclose(luma, sharp[0], atol=1e-4)
    assert neighbors(chroma) > neighbors(sharp[1]) + 0.2


def test_the_mean_of_exposures_is_no_sharper_in_color_than_they_are():
    clean = np.full((24, 32, 32, 3), 0.5, np.float32)
    clean[:, :, ::2] = [0.6, 0.48, 0.4]
    noise = dataclasses.replace(raw(1e-7), compressed=1.0, quality=(99.0, 99.0))
    pair = noise.draw_pair(clean, keras.random.SeedGenerator(0))
    noisy, expected = (np.ptp(keras.ops.convert_to_numpy(part)[:, 16], axis=1) for part in pair)
    full = expected[:, 2] > 0.09
    assert full.mean() == pytest.approx(1 / 3, abs=0.3)
    assert expected[~full, 2].max() < 0.05
    np.testing.assert_allclose(noisy[~full, 2], expected[~full, 2], atol=0.03)


def test_softness_correlates_luma_and_chroma():
    for soft, sharp in zip(processed(softness=(0.9, 0.9)), processed(), strict=True):
        assert neighbors(soft) > neighbors(sharp) + 0.15


def test_the_camera_denoises_the_share_of_images_it_is_said_to():
    noise = dataclasses.replace(
        raw(0.002), scatter=0.0, denoised=0.75, luma_smoothing=(1, 1), luma_width=(4, 4)
    )
    added = drawn(noise, flat(0.5, 200, 32)) - 0.5
    luma = added @ np.array([0.299, 0.587, 0.114], np.float32)
    deviations = luma.std(axis=(1, 2))
    assert np.mean(deviations < deviations.max() / 3) == pytest.approx(0.75, abs=0.12)


@pytest.mark.parametrize("black", [-0.05, 0.0, 0.011])
def test_a_sensor_clips_at_its_black_point(black: float):
    noise = dataclasses.replace(raw(0.0005), black=(black, black))
    clean = flat(0.01)
    added = drawn(noise, clean) - clean
    # A file has nothing below black, wherever the sensor clips.
    assert added.min() >= -0.01 - 1e-6
    assert (added.min() < -1e-4) == (black < 0.01)
    assert 0.2 < (added < 1e-6).mean() < 0.8


def test_a_white_point_takes_noise_from_the_lights():
    noise = dataclasses.replace(raw(0.0005), white=(0.9, 0.9))
    assert drawn(noise, flat(1.0)).min() > 0.8
    added = drawn(noise, flat(0.97)) - 0.97
    assert added.max() < 1e-6


# Every parameter that an image draws is the same in all, so that all have one mean.
EQUAL: dict[str, Any] = {
    "shot": (2e-3, 2e-3),
    "scatter": 0.0,
    "bands": (0.1, 0.1),
    "gamma": (2.2, 2.2),
    "toe": (0.08, 0.08),
    "contrast": (1.2, 1.2),
    "black": (0.0, 0.0),
    "white": (1.0, 1.0),
    "gain": (1.6, 1.6),
    "saturation": (1.6, 1.6),
    "softness": (0.3, 0.3),
    "chroma_softness": (0.5, 0.5),
    "denoised": 1.0,
    "luma_smoothing": (0.5, 0.5),
    "luma_width": (2.0, 2.0),
    "chroma_smoothing": (0.7, 0.7),
    "chroma_width": (2.0, 2.0),
    "blotch_smoothing": (0.0, 0.0),
    "flattened": (0.0, 0.0),
    "sharpening": (0.3, 0.3),
    "compressed": 0.0,
}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"denoised": 0.0, "sharpening": (0.8, 0.8)},
        {"black": (-0.02, -0.02), "white": (1.05, 1.05)},
        {"black": (0.01, 0.01), "white": (0.95, 0.95)},
        {"reduction": (0.7, 0.7)},
        {"flattened": (0.4, 0.4)},
    ],
    ids=["processed", "sharpened", "clipped late", "clipped early", "reduced", "flattened"],
)
def test_the_mean_of_many_exposures_is_what_is_expected(changes: dict[str, Any]):
    # Dark colors, and bright ones, where the clean picture is not that mean.
    colors = np.array([[0.02, 0.05, 0.1], [0.2, 0.05, 0.4], [0.9, 0.98, 0.6]], np.float32)
    clean = np.repeat(colors, [16, 16, 32], axis=0)[None, :, None]
    clean = np.broadcast_to(clean, (256, 64, 32, 3))
    noise, seed = dataclasses.replace(Camera(**EQUAL), **changes), keras.random.SeedGenerator(0)
    pair = noise.draw_pair(clean, seed)
    noisy, expected = (keras.ops.convert_to_numpy(part) for part in pair)

    def means(images: np.ndarray) -> np.ndarray:
        rows = images.mean(axis=(0, 2))
        return np.stack([rows[5:11], rows[21:27], rows[40:56:3]]).mean(axis=1)

    shift, error = means(noisy) - colors, means(noisy) - means(expected)
    assert np.abs(shift).max() > 0.004
    # Five standard errors of the mean, and what five exposures miss of a Gaussian.
    several = noisy[:, 5:11].mean(axis=(1, 2)).std(axis=0).max() / np.sqrt(len(noisy))
    assert np.abs(error).max() < 5 * several + 0.12 * np.abs(shift).max()


def test_what_is_expected_is_drawn_with_the_picture():
    clean = np.random.default_rng(0).random((4, 32, 32, 3)).astype(np.float32)
    noise = Camera()
    noisy, expected = noise.draw_pair(clean, keras.random.SeedGenerator(3))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(noisy), drawn(noise, clean, 3))
    assert keras.ops.convert_to_numpy(expected).shape == clean.shape


def test_noise_is_independent_of_what_it_is_added_to_in_shape():
    # The picture's detail stays as sharp as it was: the noise alone is demosaiced.
    clean = np.zeros((1, 64, 64, 3), np.float32)
    clean[:, :, 32:] = 0.8
    mean = np.mean([drawn(raw(1e-5), clean, seed) for seed in range(4)], axis=0)
    np.testing.assert_allclose(mean, clean, atol=0.02)


def test_a_reduced_picture_has_less_noise():
    reduced = dataclasses.replace(raw(0.002), reduction=(0.6, 0.6))
    assert (drawn(reduced, flat(0.5)) - 0.5).std() < 0.8 * (
        drawn(raw(0.002), flat(0.5)) - 0.5
    ).std()


def test_compression_before_a_reduction_loses_more():
    clean = np.random.default_rng(0).random((8, 64, 64, 3)).astype(np.float32)
    clean = np.repeat(np.repeat(clean[:, ::8, ::8], 8, axis=1), 8, axis=2)
    once = dataclasses.replace(
        raw(1e-6), reduction=(0.6, 0.6), compressed=1.0, quality=(75.0, 75.0), shrunk=0.0
    )
    twice = dataclasses.replace(once, shrunk=1.0)
    lost = [np.square(drawn(noise, clean) - clean).mean() for noise in (once, twice)]
    assert 1.1 * lost[0] < lost[1] < 4 * lost[0]


@pytest.mark.parametrize(
    "noise",
    [
        Camera(),
        Camera.parse("reduced"),
        Camera(compressed=1.0, resaved=1.0),
        Camera(compressed=0.0),
    ],
    ids=["any", "reduced", "compressed", "not compressed"],
)
def test_a_picture_is_within_its_range_and_finite(noise: Camera):
    rng = np.random.default_rng(0)
    clean = rng.random((8, 48, 64, 3)).astype(np.float32)
    clean[:2] = np.rint(clean[:2])  # black, white and pure colors
    noisy = drawn(noise, clean)
    assert np.isfinite(noisy).all()
    assert noisy.min() >= 0
    assert noisy.max() <= 1
    changed = (noisy != clean).mean(axis=(1, 2, 3))
    assert changed[2:].min() > 0.5
    assert changed[:2].min() > 0.2  # a sensor that clips early shows no noise in black and white


def test_the_seed_decides_the_noise():
    clean = flat(0.5, batch=2, side=32)
    first, again, other = (drawn(Camera(), clean, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5
    assert (first[0] != first[1]).mean() > 0.5


def test_compression_is_the_share_of_images_it_is_said_to_be():
    clean = flat(0.5, batch=200, side=16)
    noisy = drawn(dataclasses.replace(raw(0.01), compressed=0.3), clean)
    # Only what was compressed is a whole number of 255ths.
    whole = np.isclose(noisy * 255, np.rint(noisy * 255), atol=1e-3).all(axis=(1, 2, 3))
    assert whole.mean() == pytest.approx(0.3, abs=0.12)


def test_beyond_black_and_white_the_tone_curve_goes_straight_on():
    linear = np.array([-0.04, -0.02, 0.0, 1.0, 1.02, 1.04], np.float32).reshape(1, 1, 6, 1)
    tones = keras.ops.convert_to_numpy(curve(2.2, 0.08, 1.2).to_tone(linear)).ravel()
    steps = np.diff(tones)
    assert steps[0] == pytest.approx(steps[1], rel=1e-3)
    assert steps[0] > 3 * steps[4] > 0
    assert steps[3] == pytest.approx(steps[4], rel=1e-3)


def curve(gamma: float, toe: float, contrast: float) -> _ToneCurve:
    return _ToneCurve(factor(gamma), factor(toe), factor(contrast))


@pytest.mark.parametrize("contrast", [1.0, 1.6])
@pytest.mark.parametrize("toe", [0.0, 0.055, 0.16])
@pytest.mark.parametrize("gamma", [1.0, 2.0, 2.8])
def test_the_tone_curve_leads_back_and_forth(gamma: float, toe: float, contrast: float):
    tones = np.linspace(0.0, 1.0, 256, dtype=np.float32).reshape(1, 16, 16, 1)
    tone_curve = curve(gamma, toe, contrast)
    linear = tone_curve.to_linear(tones)
    back = keras.ops.convert_to_numpy(tone_curve.to_tone(linear))
    np.testing.assert_allclose(back.ravel()[1:], tones.ravel()[1:], atol=2e-4)
    assert back.ravel()[0] < 1 / 255
    assert (np.diff(keras.ops.convert_to_numpy(linear).ravel()) > 0).all()


def test_the_tone_curve_is_a_power_law():
    tones = np.linspace(0.1, 1.0, 16, dtype=np.float32).reshape(1, 4, 4, 1)
    linear = keras.ops.convert_to_numpy(curve(2.2, 0.0, 1.0).to_linear(tones))
    np.testing.assert_allclose(linear, tones**2.2, atol=1e-4)


def test_a_toe_makes_it_that_of_srgb():
    tones = np.linspace(0.1, 1.0, 16, dtype=np.float32).reshape(1, 4, 4, 1)
    linear = keras.ops.convert_to_numpy(curve(2.4, 0.055, 1.0).to_linear(tones))
    # All of the curve lies lower by what the offset leaves in black.
    np.testing.assert_allclose(linear, ((tones + 0.055) / 1.055) ** 2.4, atol=1e-3)
    dark = np.array([0.0, 1e-4], np.float32).reshape(1, 1, 2, 1)
    black, above = keras.ops.convert_to_numpy(curve(2.4, 0.055, 1.0).to_tone(dark)).ravel()
    assert 10 < (above - black) / 1e-4 < 30  # sRGB's line has 12.92; a power law's slope is 200


def test_saturation_leads_back_and_forth_and_keeps_gray():
    colors = np.random.default_rng(0).random((1, 4, 4, 3)).astype(np.float32)
    strong = _saturate(colors, factor(1.6))
    assert np.ptp(strong, axis=-1) == pytest.approx(1.6 * np.ptp(colors, axis=-1), abs=1e-5)
    np.testing.assert_allclose(_saturate(strong, factor(1 / 1.6)), colors, atol=1e-6)
    gray = np.full((1, 2, 2, 3), 0.3, np.float32)
    np.testing.assert_allclose(_saturate(gray, factor(1.6)), gray, atol=1e-6)


def test_a_compiled_step_of_any_batch_draws_the_same():
    import tensorflow as tf

    noise, generator = Camera(), keras.random.SeedGenerator(5)
    signature = tf.TensorSpec((None, 32, 48, 3), tf.float32)  # pyright: ignore
    step = tf.function(lambda clean: noise(clean, generator), input_signature=[signature])
    clean = np.random.default_rng(0).random((3, 32, 48, 3), np.float32)
    # JPEG rounds; a value in the middle may go either way.
    differences = np.abs(step(clean).numpy() - drawn(noise, clean, 5))
    assert (differences > 1e-5).mean() < 0.01


def test_noise_reduction_spares_edges():
    clean = np.full((8, 64, 64, 3), 0.4, np.float32)
    clean[:, :, 32:] = 0.6
    camera = dataclasses.replace(
        Camera(shot=(0.002, 0.002), denoised=1.0, compressed=0.0),
        flattened=(0.8, 0.8),
        edge=(0.01, 0.01),
    )
    noisy, expected = camera.draw_pair(clean, keras.random.SeedGenerator(0))
    noise = keras.ops.convert_to_numpy(noisy - expected)
    assert noise[:, :, 31:34].std() > 2 * noise[:, :, 8:24].std()
    even = dataclasses.replace(camera, flattened=(-1.0, 0.0), spared=(0.0, 0.0))
    noisy, expected = even.draw_pair(clean, keras.random.SeedGenerator(0))
    noise = keras.ops.convert_to_numpy(noisy - expected)
    assert noise[:, :, 31:34].std() < 1.5 * noise[:, :, 8:24].std()
