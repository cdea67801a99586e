from __future__ import annotations

import keras
import pytest
from keras import layers

from kerasdenoise.export.cost import mac_per_pixel


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (layers.Conv2D(8, 3, padding="same"), 3 * 3 * 3 * 8),
        (layers.Conv2D(8, 3, padding="same", use_bias=False), 3 * 3 * 3 * 8),
        (layers.Conv2D(8, 3, padding="same", dilation_rate=2), 3 * 3 * 3 * 8),
        (layers.Conv2D(6, 3, padding="same", groups=3), 3 * 3 * 6),
        (layers.Conv2D(8, 2, strides=2), 2 * 2 * 3 * 8 / 4),
        (layers.Conv2DTranspose(8, 2, strides=2), 2 * 2 * 3 * 8),
        (layers.DepthwiseConv2D(3, padding="same"), 3 * 3 * 3),
        (layers.Dense(8), 3 * 8),
        (layers.ReLU(), 0),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_layer_by_hand(layer: layers.Layer, expected: int):
    noisy = keras.Input((None, None, 3))
    assert mac_per_pixel(keras.Model(noisy, layer(noisy)), stride=2) == expected


def test_a_network_by_hand():
    noisy = keras.Input((None, None, 3))
    x = layers.Conv2D(8, 3, padding="same")(noisy)  # 216
    x = layers.Conv2D(16, 2, strides=2)(x)  # 512 at a quarter of the places: 128
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(x)  # 2304 at a quarter: 576
    x = layers.Conv2DTranspose(3, 2, strides=2)(x)  # 192 at a quarter: 48
    assert mac_per_pixel(keras.Model(noisy, x), stride=2) == 216 + 128 + 576 + 48
