"""The SavedModel, called as a server calls it."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kerasdenoise.export.tf_saved_model import write_tf_saved_model
from kerasdenoise.inference.denoiser import Denoiser


def _png(pixels: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def _decode(content: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    return np.asarray(image)


def _noisy(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.fixture
def quick(saved_models: Path) -> Any:
    return tf.saved_model.load(str(saved_models / "quick/saved_model"))


def test_there_are_two_signatures(quick: Any):
    assert set(quick.signatures) == {"serving_default", "image_bytes"}


def test_pictures_of_several_sizes_come_out_as_denoise_makes_them(quick: Any, saved_models: Path):
    pictures = [_noisy(1, 1, 3), _noisy(3, 2, 3), _noisy(37, 51, 3), _noisy(16, 16, 3)]
    given = tf.constant([_png(picture) for picture in pictures])
    made = quick.signatures["image_bytes"](image_bytes=given)["denoised_bytes"].numpy()
    denoiser = Denoiser(saved_models / "quick")
    # A SavedModel is the network alone, which does not keep the tone.
    denoiser.info = dataclasses.replace(denoiser.info, keeps_tone=False)
    for picture, content in zip(pictures, made, strict=True):
        denoised = denoiser.denoise_pixels(picture / np.float32(255))
        expected = 255 * np.clip(denoised, 0, 1)
        np.testing.assert_allclose(_decode(content), expected, atol=0.51)
    assert np.abs(_decode(made[2]).astype(int) - pictures[2]).max() > 5


def test_other_formats_are_read(quick: Any):
    content = io.BytesIO()
    Image.fromarray(_noisy(9, 14, 3)).save(content, "JPEG")
    made = quick.signatures["image_bytes"](image_bytes=tf.constant([content.getvalue()]))
    assert _decode(made["denoised_bytes"].numpy()[0]).shape == (9, 14, 3)


def test_floats_are_not_clipped(quick: Any):
    noisy = np.full((2, 8, 12, 3), 2.0, np.float32)
    made = quick.signatures["serving_default"](noisy=tf.constant(noisy))["output_0"]
    assert made.shape == noisy.shape
    assert made.numpy().max() > 1


def test_a_gray_network_denoises_each_color(tmp_path: Path):
    noisy = keras.Input((None, None, 1), name="noisy")
    write_tf_saved_model(keras.Model(noisy, noisy / 2), tmp_path / "gray", 1, 4)
    served = tf.saved_model.load(str(tmp_path / "gray"))
    picture = _noisy(5, 7, 3)
    made = served.signatures["image_bytes"](image_bytes=tf.constant([_png(picture)]))
    np.testing.assert_allclose(_decode(made["denoised_bytes"].numpy()[0]), picture / 2, atol=0.51)


def test_a_told_network_takes_a_level_for_each_picture(tmp_path: Path):
    noisy = keras.Input((None, None, 3), name="noisy")
    level = keras.Input((None, None, 1), name="noise_level")
    write_tf_saved_model(keras.Model([noisy, level], noisy * 0 + level), tmp_path / "told", 2, 2)
    served = tf.saved_model.load(str(tmp_path / "told"))
    made = served.signatures["image_bytes"](
        image_bytes=tf.constant([_png(_noisy(3, 3, 3)), _png(_noisy(4, 5, 3))]),
        sigma=tf.constant([0.2, 0.4]),
    )["denoised_bytes"].numpy()
    assert np.unique(_decode(made[0])) == [51]
    assert np.unique(_decode(made[1])) == [102]


def test_a_single_picture_needs_no_list(quick: Any):
    content = _png(_noisy(9, 14, 3))
    call = quick.signatures["image_bytes"]
    alone = call(image_bytes=tf.constant(content))["denoised_bytes"]
    (listed,) = call(image_bytes=tf.constant([content]))["denoised_bytes"].numpy()
    assert alone.shape == ()
    assert alone.numpy() == listed
