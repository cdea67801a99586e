from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasdenoise.inference.network import merge_context
from kerasdenoise.layers.global_maximum import GlobalMaximum


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _image(height: int = 17, width: int = 23) -> np.ndarray:
    return np.random.default_rng(0).random((2, height, width, 2), np.float32)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 23)])
def test_it_is_the_maximum_of_each_image_and_channel(size: tuple[int, int]):
    expected = _image(*size).max((1, 2), keepdims=True)
    np.testing.assert_array_equal(_numpy(GlobalMaximum()(_image(*size))), expected)


def test_it_is_no_less_than_the_floor():
    layer = GlobalMaximum(floor=0.5)
    assert (_numpy(layer(0 * _image())) == 0.5).all()
    value, _ = layer(0 * _image(), summarize=True)
    assert (_numpy(value) == 0).all()
    assert (_numpy(layer(_image(), context=value)) == 0.5).all()


@pytest.mark.parametrize("cut", [1, 12, 16])
def test_merged_from_parts_it_is_nearly_that_of_the_whole(cut: int):
    layer, parts = GlobalMaximum(), []
    for part in (_image()[:, :cut], _image()[:, cut:]):
        value, log_weight = layer(part, summarize=True)
        parts.append({"top": _numpy(value), "top_log_weight": _numpy(log_weight)})
    merged = layer(_image(), context=merge_context(tuple(parts))["top"])
    expected = _numpy(layer(_image()))
    np.testing.assert_allclose(_numpy(merged), expected, atol=np.log(2) / 10_000)


def test_no_gradient_flows_back():
    image = tf.constant(_image())
    with tf.GradientTape() as tape:
        tape.watch(image)
        top = GlobalMaximum()(image)
    assert tape.gradient(top, image) is None


def test_a_config_makes_an_equal_layer():
    layer = GlobalMaximum(0.25, name="top")
    assert GlobalMaximum.from_config(layer.get_config()).get_config() == layer.get_config()
