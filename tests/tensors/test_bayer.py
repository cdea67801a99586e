from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.tensors.bayer import demosaic, demosaic_green, to_mosaic

BILINEAR, MALVAR = 0.0, 1.0
CORRECTIONS = [BILINEAR, 0.3, MALVAR]
BORDER = 2  # how far the filters reach


def demosaiced(mosaic: np.ndarray, correction: float) -> np.ndarray:
    factor = np.full((len(mosaic), 1, 1, 1), correction, np.float32)
    return keras.ops.convert_to_numpy(demosaic(mosaic, factor))


def sampled(images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(to_mosaic(images))


def inner(images: np.ndarray) -> np.ndarray:
    return images[:, BORDER:-BORDER, BORDER:-BORDER]


def test_the_cell_is_red_green_green_blue():
    image = np.arange(48, dtype=np.float32).reshape(1, 4, 4, 3)
    expected = np.stack(
        [
            image[:, ::2, ::2, 0],
            image[:, ::2, 1::2, 1],
            image[:, 1::2, ::2, 1],
            image[:, 1::2, 1::2, 2],
        ],
        axis=-1,
    )
    np.testing.assert_array_equal(sampled(image), expected)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_what_was_measured_stays(correction: float):
    mosaic = np.random.default_rng(0).normal(size=(2, 9, 6, 4)).astype(np.float32)
    np.testing.assert_allclose(sampled(demosaiced(mosaic, correction)), mosaic, atol=1e-6)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_one_color_stays_that_color(correction: float):
    image = np.broadcast_to(np.array([0.4, 0.4, 0.4], np.float32), (1, 12, 16, 3))
    np.testing.assert_allclose(
        inner(demosaiced(sampled(image), correction)), inner(image), atol=1e-6
    )


def test_bilinear_keeps_any_color():
    image = np.broadcast_to(np.array([0.2, 0.5, 0.9], np.float32), (1, 12, 16, 3))
    np.testing.assert_allclose(inner(demosaiced(sampled(image), BILINEAR)), inner(image), atol=1e-6)


@pytest.mark.parametrize("slope", [(0.01, 0.0), (0.0, 0.01), (0.02, -0.015)])
@pytest.mark.parametrize("correction", CORRECTIONS)
def test_a_ramp_stays_a_ramp(correction: float, slope: tuple[float, float]):
    y, x = np.indices((14, 18))
    ramp = (0.5 + slope[0] * y + slope[1] * x).astype(np.float32)
    image = np.repeat(ramp[None, ..., None], 3, axis=3)
    np.testing.assert_allclose(
        inner(demosaiced(sampled(image), correction)), inner(image), atol=1e-6
    )


# Figure 2 of Malvar, He and Cutler's paper: eighths, around the place that lacks the color.
GREEN_AT_COLOR = [
    [0, 0, -1, 0, 0],
    [0, 0, 2, 0, 0],
    [-1, 2, 4, 2, -1],
    [0, 0, 2, 0, 0],
    [0, 0, -1, 0, 0],
]
COLOR_IN_ROW = [
    [0, 0, 0.5, 0, 0],
    [0, -1, 0, -1, 0],
    [-1, 4, 5, 4, -1],
    [0, -1, 0, -1, 0],
    [0, 0, 0.5, 0, 0],
]
OPPOSITE_COLOR = [
    [0, 0, -1.5, 0, 0],
    [0, 2, 0, 2, 0],
    [-1.5, 0, 6, 0, -1.5],
    [0, 2, 0, 2, 0],
    [0, 0, -1.5, 0, 0],
]


@pytest.mark.parametrize(
    ("place", "color", "weights"),
    [
        ((6, 6), 1, GREEN_AT_COLOR),
        ((7, 7), 1, GREEN_AT_COLOR),
        ((6, 7), 0, COLOR_IN_ROW),
        ((7, 6), 2, COLOR_IN_ROW),
        ((7, 6), 0, np.transpose(COLOR_IN_ROW)),
        ((6, 7), 2, np.transpose(COLOR_IN_ROW)),
        ((6, 6), 2, OPPOSITE_COLOR),
        ((7, 7), 0, OPPOSITE_COLOR),
    ],
)
def test_the_corrected_filters_are_the_published_ones(
    place: tuple[int, int], color: int, weights: list[list[float]]
):
    flat = np.random.default_rng(0).random((14, 14)).astype(np.float32)
    mosaic = flat.reshape(1, 7, 2, 7, 2).transpose(0, 1, 3, 2, 4).reshape(1, 7, 7, 4)
    y, x = place
    expected = (flat[y - 2 : y + 3, x - 2 : x + 3] * np.array(weights)).sum() / 8
    assert demosaiced(mosaic, MALVAR)[0, y, x, color] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_beyond_a_border_lies_the_opposite_one(correction: float):
    mosaic = np.random.default_rng(0).normal(size=(2, 6, 8, 4)).astype(np.float32)
    turned = demosaiced(np.roll(mosaic, (2, 3), axis=(1, 2)), correction)
    expected = np.roll(demosaiced(mosaic, correction), (4, 6), axis=(1, 2))
    np.testing.assert_allclose(turned, expected, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1])
def test_green_follows_stripes_of_either_direction(axis: int):
    # Too fine for a mean of all neighbors.
    values = 0.5 + 0.3 * np.sin(1.9 * np.arange(32))
    stripes = np.broadcast_to(np.expand_dims(values, 1 - axis), (32, 32))
    clean = np.repeat(stripes[None, ..., None], 3, axis=-1).astype(np.float32)
    mosaic = to_mosaic(clean)
    found = keras.ops.convert_to_numpy(demosaic_green(mosaic, mosaic))[0, 4:-4, 4:-4, 0]
    np.testing.assert_allclose(found, stripes[4:-4, 4:-4], atol=1e-6)
    both_ways = keras.ops.convert_to_numpy(demosaic(mosaic, np.zeros((1, 1, 1, 1), np.float32)))
    assert np.abs(both_ways[0, 4:-4, 4:-4, 1] - stripes[4:-4, 4:-4]).max() > 0.05


def test_green_alone_is_decided_by_what_is_seen():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1, 24, 24, 4)).astype(np.float32)
    rows = np.zeros((1, 48, 48, 3), np.float32) + np.sin(np.arange(48) * 1.9)[:, None, None]
    across = keras.ops.convert_to_numpy(demosaic_green(noise, to_mosaic(rows.astype("f"))))[0]
    cells = noise[0]
    # At red, along a row: the two greens beside it, and the curvature of red.
    red, green = cells[..., 0], cells[..., 1]
    bend = 2 * red - np.roll(red, 1, axis=1) - np.roll(red, -1, axis=1)
    expected = (green + np.roll(green, 1, axis=1)) / 2 + bend / 4
    np.testing.assert_allclose(across[2:-2:2, ::2, 0], expected[1:-1], atol=1e-5)
    # What was measured stays.
    np.testing.assert_array_equal(across[::2, 1::2, 0], green)
