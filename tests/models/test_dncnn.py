from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models.dncnn import PRESETS, Config, build


def _count(network: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


@pytest.mark.parametrize("preset", ["paper", "direct"])
def test_the_trainable_weights_are_as_many_as_published(preset: str):
    network = build(PRESETS[preset])
    assert _count(network) == 558_336
    assert "bias" not in {weight.name for weight in network.weights}


def test_all_but_the_first_and_last_convolution_are_normalized():
    layers = build(Config(depth=6, width=4)).layers
    kinds = [type(layer).__name__ for layer in layers]
    assert kinds.count("Conv2D") == 6
    assert kinds.count("BatchNormalization") == 4
    assert kinds[:3] == ["InputLayer", "Conv2D", "Conv2D"]
    assert kinds[-3:] == ["Activation", "Conv2D", "Subtract"]


def test_seventeen_convolutions_see_seventeen_pixels():
    assert (Config().stride, Config().radius) == (1, 17)


def test_the_residual_network_subtracts_what_the_direct_one_returns():
    direct = build(Config(depth=3, width=4, residual=False))
    residual = build(Config(depth=3, width=4))
    residual.set_weights(direct.get_weights())
    noisy = np.random.default_rng(0).random((1, 9, 7, 3), np.float32)
    np.testing.assert_allclose(residual(noisy), noisy - direct(noisy), atol=1e-6)


@pytest.mark.parametrize("values", [{"depth": 1}, {"width": 0}, {"channels": 0}])
def test_an_impossible_shape_is_refused(values: dict):
    with pytest.raises(ModelError):
        Config(**values)


def test_any_activation_stands_between_the_convolutions():
    layers = build(Config(depth=4, width=4, activation="tanh")).layers
    between = [getattr(layer, "activation", None) for layer in layers]
    assert between.count(keras.activations.tanh) == 3
    with pytest.raises(ModelError, match=r"dncnn activation 'bent': .*unknown"):
        Config(activation="bent")
