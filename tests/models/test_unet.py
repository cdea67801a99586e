from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.models import mac_per_pixel
from kerasdenoise.models.unet import PRESETS, Config, build


def _random_network(config: Config) -> keras.Model:
    network = build(config)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        fan_in = np.prod(weight.shape[:-1])
        weight.assign(rng.normal(0, fan_in**-0.5, weight.shape))
    return network


@pytest.mark.parametrize("factor", [0.3, 7.0])
def test_scaling_the_input_scales_the_output(factor: float):
    network = _random_network(PRESETS["tiny"])
    noisy = np.random.default_rng(1).random((1, 32, 40, 3), np.float32)
    expected = factor * keras.ops.convert_to_numpy(network(noisy))
    np.testing.assert_allclose(network(factor * noisy), expected, rtol=1e-4, atol=1e-5 * factor)


def test_a_new_network_returns_its_input():
    noisy = np.random.default_rng(1).random((1, 16, 16, 3), np.float32)
    np.testing.assert_array_equal(build(PRESETS["tiny"])(noisy), noisy)


def test_the_default_model_is_as_small_as_promised():
    network = build(PRESETS["medium"])
    assert network.count_params() == 862_976
    assert mac_per_pixel(network, PRESETS["medium"].stride) <= 50_000
    assert {weight.name for weight in network.weights} == {"kernel"}


@pytest.mark.parametrize(
    ("widths", "blocks", "stride", "radius"),
    [
        # Head and tail 2 * 2, two convolutions of 2 pixels, alignment 1.
        ((4,), (1,), 2, 9),
        # Head and tail 4, four convolutions of 2, two of 4, alignment 3.
        ((4, 8), (1, 1), 4, 23),
        # Head and tail 4, four of 2, four of 4, four of 8, alignment 7.
        ((4, 8, 16), (1, 1, 2), 8, 67),
    ],
)
def test_stride_and_radius_by_hand(widths: tuple, blocks: tuple, stride: int, radius: int):
    config = Config(widths=widths, blocks=blocks)
    assert (config.stride, config.radius) == (stride, radius)
