from __future__ import annotations

import keras
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.tensors.resample import (
    along_axes,
    enlargement,
    filter_pair,
    gaussian_response,
    reduction,
)

SCALES = [0.5, 0.62, 0.95, 1.0]


def factor(scale: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), scale, np.float32)


def reduced(image: np.ndarray, scale: float, height: int, width: int) -> np.ndarray:
    result = reduction(image[None, ..., None], factor(scale), height, width)
    return keras.ops.convert_to_numpy(result)[0, ..., 0]


def test_matrices_work_along_their_axes():
    rng = np.random.default_rng(0)
    images, rows, columns = (
        rng.normal(size=shape).astype(np.float32) for shape in ((2, 5, 7, 3), (4, 5), (6, 7))
    )
    expected = np.einsum("hy,wx,byxc->bhwc", rows, columns, images)
    result = keras.ops.convert_to_numpy(along_axes(images, rows, columns))
    np.testing.assert_allclose(result, expected, atol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
def test_a_constant_stays(scale: float):
    np.testing.assert_allclose(
        reduced(np.full((64, 80), 0.7, np.float32), scale, 30, 40), 0.7, atol=1e-5
    )


@pytest.mark.parametrize("scale", SCALES)
def test_a_ramp_stays_a_ramp(scale: float):
    # Up to the ripple of a sampled kernel that is stretched by no whole number.
    y, x = np.indices((64, 80))
    ramp = (0.2 + 0.004 * y - 0.002 * x).astype(np.float32)
    centers_y, centers_x = ((np.arange(size) + 0.5) / scale - 0.5 for size in (30, 38))
    expected = 0.2 + 0.004 * centers_y[:, None] - 0.002 * centers_x
    border = slice(4, -4)
    np.testing.assert_allclose(
        reduced(ramp, scale, 30, 38)[border, border], expected[border, border], atol=1e-4
    )


@pytest.mark.parametrize("scale", SCALES)
def test_it_is_what_pillow_does(scale: float):
    image = np.random.default_rng(0).random((64, 80)).astype(np.float32)
    height, width = 30, 36
    expected = Image.fromarray(image).resize(
        (width, height), Image.Resampling.BICUBIC, box=(0, 0, width / scale, height / scale)
    )
    found = reduced(image, scale, height, width)
    np.testing.assert_allclose(found, np.asarray(expected), atol=1e-4)


def test_each_image_has_its_own_scale():
    image = np.random.default_rng(0).random((64, 64)).astype(np.float32)
    both = np.stack([image, image])[..., None]
    scales = np.array([0.5, 0.9], np.float32).reshape(2, 1, 1, 1)
    result = keras.ops.convert_to_numpy(reduction(both, scales, 30, 30))
    for index, scale in enumerate((0.5, 0.9)):
        np.testing.assert_allclose(result[index, ..., 0], reduced(image, scale, 30, 30), atol=1e-6)


@pytest.mark.parametrize("scale", SCALES)
def test_enlarging_and_reducing_leads_back(scale: float):
    y, x = np.indices((32, 48))
    smooth = (0.5 + 0.2 * np.sin(y / 6) * np.cos(x / 7)).astype(np.float32)
    size = [2 * int(np.ceil(side / scale / 2)) for side in smooth.shape]
    large = enlargement(smooth[None, ..., None], factor(scale), *size)
    assert tuple(large.shape) == (1, *size, 1)
    back = keras.ops.convert_to_numpy(reduction(large, factor(scale), 32, 48))[0, ..., 0]
    np.testing.assert_allclose(back[4:-4, 4:-4], smooth[4:-4, 4:-4], atol=0.01)


def widths(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 1, 1, 1)


def smooth(first: np.ndarray, second: np.ndarray, *values: float) -> list[np.ndarray]:
    _, height, wide, channels = first.shape
    response = gaussian_response(widths(*values), height, wide)
    response = keras.ops.repeat(response, channels, axis=1)
    return [keras.ops.convert_to_numpy(part) for part in filter_pair(first, second, response)]


@pytest.mark.parametrize("width", [1.0, 1.5, 2.5])
def test_a_gaussian_window_is_its_width_all_around(width: float):
    point = np.zeros((1, 40, 48, 1), np.float32)
    point[0, 1, 2] = 1.0
    window, _ = smooth(point, 0 * point, width)
    y, x = np.indices((40, 48))
    y, x = (y - 1 + 20) % 40 - 20, (x - 2 + 24) % 48 - 24
    expected = np.exp(-(y**2 + x**2) / (2 * width**2))
    np.testing.assert_allclose(window[0, ..., 0], expected / expected.sum(), atol=2e-3)


def test_no_width_changes_nothing():
    images = np.random.default_rng(0).normal(size=(2, 2, 9, 15, 3)).astype(np.float32)
    for before, after in zip(images, smooth(*images, 0.0), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-5)


def test_neither_the_pair_nor_the_batch_mixes():
    images = np.random.default_rng(0).random((2, 2, 16, 24, 2)).astype(np.float32)
    pair = smooth(*images, 0.7, 2.0)
    for part, together in zip(images, pair, strict=True):
        for index, width in enumerate((0.7, 2.0)):
            alone, _ = smooth(part[index : index + 1], 0 * part[:1], width)
            np.testing.assert_allclose(together[index], alone[0], atol=1e-5)
