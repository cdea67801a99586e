from __future__ import annotations

import io
import math

import keras
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.metrics import psnr
from kerasdenoise.tensors.jpeg import jpeg


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """A photo-like picture (96, 128, 3): shading, edges, texture and noise, 8 bits deep."""
    rng = np.random.default_rng(0)
    y, x = np.indices((96, 128)) / 96
    picture = np.stack([0.3 + 0.4 * x, 0.5 - 0.2 * y, 0.4 + 0.2 * x * y], axis=-1)
    picture[20:60, 30:80] += [0.3, -0.2, 0.1]
    picture += 0.1 * np.sin(40 * (x + y) ** 2)[..., None] * [1.0, 0.8, 0.9]
    picture += rng.normal(0, 0.02, picture.shape)
    return np.rint(255 * picture.clip(0, 1)).astype(np.uint8)


SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def number(value: float) -> np.ndarray:
    return np.full((1, 1, 1, 1), value, np.float32)


def ours(picture: np.ndarray, *qualities: float, subsampling: str = "4:4:4") -> np.ndarray:
    images = picture[None].astype(np.float32) / 255
    times = [number(quality) for quality in qualities]
    packed = jpeg(images, times, number(SUBSAMPLINGS.index(subsampling)))
    return keras.ops.convert_to_numpy(packed)[0]


def pillows(picture: np.ndarray, quality: int, subsampling: str = "4:4:4") -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(Image.open(stream), np.float32) / 255


@pytest.mark.parametrize("quality", [30, 50, 75, 90, 98])
def test_it_is_what_an_encoder_does(photo: np.ndarray, quality: int):
    clean = photo / np.float32(255)
    mine, theirs = ours(photo, quality), pillows(photo, quality)
    assert psnr(theirs, mine) > 46
    error, expected = (math.sqrt(np.mean((each - clean) ** 2)) for each in (mine, theirs))
    assert error == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS[1:])
@pytest.mark.parametrize("quality", [50, 75, 90])
def test_reduced_chroma_loses_as_much_as_an_encoders(
    photo: np.ndarray, quality: int, subsampling: str
):
    clean = photo / np.float32(255)
    mine = ours(photo, quality, subsampling=subsampling)
    theirs = pillows(photo, quality, subsampling)
    error, expected = (math.sqrt(np.mean((each - clean) ** 2)) for each in (mine, theirs))
    assert psnr(theirs, mine) > 44
    assert error == pytest.approx(expected, rel=0.1)
    assert error > math.sqrt(np.mean((ours(photo, quality) - clean) ** 2))


def test_chroma_is_halved_across_before_both_directions():
    # Stripes of pure color: those down the picture are lost to 4:2:2, those across are not.
    picture = np.full((32, 32, 3), 128, np.uint8)
    picture[::2] = [168, 118, 88]
    down, across = np.swapaxes(picture, 0, 1), picture
    contrast = {
        (name, subsampling): np.ptp(ours(stripes, 98, subsampling=subsampling)[..., 2])
        for name, stripes in (("down", down), ("across", across))
        for subsampling in SUBSAMPLINGS
    }
    assert contrast["across", "4:2:2"] > 0.9 * contrast["across", "4:4:4"] > 0.1
    assert contrast["down", "4:2:2"] < 0.6 * contrast["down", "4:4:4"]
    assert contrast["across", "4:2:0"] < 0.6 * contrast["across", "4:4:4"]


@pytest.mark.parametrize(("first", "second"), [(60, 90), (90, 60)])
def test_saving_again_is_what_two_encoders_do(photo: np.ndarray, first: int, second: int):
    twice = pillows(np.rint(255 * pillows(photo, first)).astype(np.uint8), second)
    mine = ours(photo, first, second)
    assert psnr(twice, mine) > psnr(twice, ours(photo, second)) + 3
    assert psnr(twice, mine) > psnr(twice, ours(photo, first))


def test_less_quality_is_worse(photo: np.ndarray):
    figures = [psnr(photo / np.float32(255), ours(photo, quality)) for quality in (10, 40, 70, 95)]
    assert figures == sorted(figures)


def test_the_best_quality_is_nearly_lossless(photo: np.ndarray):
    clean = photo / np.float32(255)
    mine, theirs = (np.abs(each(photo, 100) - clean).max() for each in (ours, pillows))
    assert mine <= theirs + 1 / 255
    assert psnr(clean, ours(photo, 100)) > 48


@pytest.mark.parametrize("subsampling", SUBSAMPLINGS)
def test_gray_stays_gray(photo: np.ndarray, subsampling: str):
    packed = ours(np.repeat(photo[..., :1], 3, axis=2), 60, subsampling=subsampling)
    np.testing.assert_array_equal(packed[..., 0], packed[..., 1])
    np.testing.assert_array_equal(packed[..., 0], packed[..., 2])


def test_the_result_is_one_of_a_file(photo: np.ndarray):
    packed = ours(np.where(photo > 128, np.uint8(255), np.uint8(0)), 40)
    assert packed.min() == 0
    assert packed.max() == 1
    np.testing.assert_allclose(packed * 255, np.rint(packed * 255), atol=1e-4)


def test_a_flat_table_keeps_more_of_what_is_fine(photo: np.ndarray):
    clean = photo.astype(np.float32) / 255
    packed = [
        keras.ops.convert_to_numpy(jpeg(clean[None], [number(50)], number(0), number(steepness)))
        for steepness in (1.0, 0.0)
    ]
    means, fine = [], []
    for each in packed:
        error = each[0] - clean
        mean = error.reshape(12, 8, 16, 8, 3).mean(axis=(1, 3))
        means.append(mean.std())
        fine.append((error - np.kron(mean, np.ones((8, 8, 1)))).std())
    assert means[1] == pytest.approx(means[0], rel=0.2)
    assert fine[1] < 0.8 * fine[0]
    np.testing.assert_allclose(packed[0][0], ours(photo, 50), atol=1e-6)


def test_each_image_has_its_own_quality(photo: np.ndarray):
    images = np.stack([photo, photo]).astype(np.float32) / 255
    quality = np.array([40, 90], np.float32).reshape(2, 1, 1, 1)
    packed = keras.ops.convert_to_numpy(jpeg(images, [quality], np.array([[[[0]]], [[[2]]]], "f")))
    np.testing.assert_allclose(packed[0], ours(photo, 40), atol=1e-6)
    np.testing.assert_allclose(packed[1], ours(photo, 90, subsampling="4:2:0"), atol=1e-6)
