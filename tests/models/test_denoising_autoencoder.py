from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models.denoising_autoencoder import PRESETS, Config, build


def test_the_trainable_weights_are_as_many_as_published():
    weights = build(PRESETS["paper"]).trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in weights) == 47_355


def test_each_level_halves_the_image_and_the_decoder_mirrors_it():
    widths = (12, 24, 48)
    network = build(Config(widths=widths))
    image = keras.Input((64, 64, 3))
    sized = keras.models.clone_model(network, input_tensors=image)
    shapes = [layer.output.shape[1:] for layer in sized.layers[1:-2]]
    down = [(64 >> level, 64 >> level, width) for level, width in enumerate(widths, start=1)]
    assert shapes == down + down[-2::-1]


@pytest.mark.parametrize(
    ("widths", "stride", "radius"),
    [
        # Codes are 2 pixels apart, of 4 pixels, and become 4.
        ((5,), 2, 3),
        # Codes are 4 pixels apart, of 10 pixels, and become 10.
        ((5, 6), 4, 9),
        # Codes are 8 pixels apart, of 22 pixels, and become 22.
        ((12, 24, 48), 8, 21),
    ],
)
def test_stride_and_radius_by_hand(widths: tuple, stride: int, radius: int):
    config = Config(widths=widths)
    assert (config.stride, config.radius) == (stride, radius)


def test_any_input_gives_an_image_between_black_and_white():
    noisy = np.random.default_rng(0).normal(0, 50, (1, 16, 16, 3)).astype(np.float32)
    denoised = keras.ops.convert_to_numpy(build(PRESETS["tiny"])(noisy))
    assert denoised.min() >= 0
    assert denoised.max() <= 1


@pytest.mark.parametrize("values", [{"widths": ()}, {"widths": (8, 0)}, {"channels": 0}])
def test_an_impossible_shape_is_refused(values: dict):
    with pytest.raises(ModelError):
        Config(**values)


def test_any_activation_stands_between_the_convolutions():
    layers = build(Config(activation="elu")).layers
    assert sum(getattr(layer, "activation", None) is keras.activations.elu for layer in layers) == 5
    with pytest.raises(ModelError, match=r"activation 'bent': .*unknown"):
        Config(activation="bent")
