from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_architecture
from kerasdenoise.models.poisson_autoencoder import PRESETS, Config, build


@pytest.mark.parametrize(("preset", "weights"), [("paper", 98_278), ("32x32", 46_438)])
def test_the_trainable_weights_are_as_many_as_counted(preset: str, weights: int):
    counted = build(PRESETS[preset]).trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in counted) == weights


@pytest.mark.parametrize(
    ("preset", "side", "code"), [("paper", 120, (3, 3, 3)), ("32x32", 128, (32, 32, 3))]
)
def test_the_code_is_as_small_as_its_name(preset: str, side: int, code: tuple):
    network = build(PRESETS[preset])
    encoder = network.get_layer("encoder")
    assert encoder(np.zeros((1, side, side, 3), np.float32)).shape[1:] == code


@pytest.mark.parametrize(
    ("preset", "stride", "radius"),
    [
        # Code q is made of pixels 4q - 7 to 4q + 10 and changes pixels 4q - 5 to 4q + 11.
        ("32x32", 4, 18),
        # Code q is made of pixels 40q - 7 to 40q + 46 and changes pixels 40q - 5 to 40q + 47.
        ("paper", 40, 54),
    ],
)
def test_stride_and_radius_by_hand(preset: str, stride: int, radius: int):
    assert (PRESETS[preset].stride, PRESETS[preset].radius) == (stride, radius)


@pytest.mark.parametrize("output", ["linear", "sigmoid"])
def test_the_sigmoid_output_is_that_of_the_linear_one(output: str):
    network = build(Config(widths=(4, 4), output=output))  # pyright: ignore[reportArgumentType]
    encoder, decoder = (network.get_layer(name) for name in ("encoder", "decoder"))
    last = keras.Model(decoder.input, [decoder.get_layer("tail").output, decoder.output])
    tail, denoised = last(encoder(np.random.default_rng(0).random((1, 8, 8, 3), np.float32)))
    expected = keras.ops.sigmoid(tail) if output == "sigmoid" else tail
    np.testing.assert_array_equal(denoised, expected)


@pytest.mark.parametrize(
    "values",
    [
        {"latent": "4x4"},
        {"output": "relu"},
        {"widths": (8,)},
        {"widths": (7, 8)},
        {"widths": (8, 0)},
        {"code": 0},
        {"channels": 0},
    ],
)
def test_an_impossible_shape_is_refused(values: dict):
    with pytest.raises(ModelError):
        get_architecture("poisson_autoencoder").Config(**values)
