from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models.border_unet import PRESETS, Config, build


@pytest.mark.parametrize(("channels", "weights"), [(1, 105_377), (3, 105_665)])
def test_the_trainable_weights_are_as_many_as_counted(channels: int, weights: int):
    counted = build(Config(channels=channels)).trainable_weights
    assert sum(int(np.prod(weight.shape)) for weight in counted) == weights


def test_stride_and_radius_by_hand():
    # Two convolutions: 2 pixels at full resolution, 4 at half, 8 at a quarter, and 4 and 2 again
    # on the way up; 3 more to the furthest pixel of a 4x4 cell.
    config = PRESETS["paper"]
    assert (config.stride, config.radius) == (4, 23)


def test_the_radius_is_exact():
    config = Config(channels=1, widths=(1, 1, 1))
    network = build(config)
    for weight in network.trainable_weights:
        weight.assign(np.full(weight.shape, float(weight.name in ("kernel", "gamma"))))
    # All sums of what is zero but at one pixel: nothing cancels and nothing is rounded away.
    inside = keras.Model(network.input, network.get_layer("decoder_0_relu2").output)
    far = config.radius + 1
    reach = 0
    for row, column in itertools.product(range(far, far + 4), repeat=2):
        noisy = np.zeros((1, 2 * far + 4, 2 * far + 4, 1), np.float32)
        noisy[0, row, column] = 1
        rows, columns = np.nonzero(inside.predict_on_batch(noisy)[0, ..., 0])
        reach = max([reach, *abs(rows - row), *abs(columns - column)])
    assert reach == config.radius


def test_the_map_is_a_probability_in_equal_channels():
    noisy = np.random.default_rng(0).random((2, 16, 24, 3), np.float32)
    border = keras.ops.convert_to_numpy(build(PRESETS["tiny"])(noisy))
    assert border.shape == noisy.shape
    assert (border > 0).all()
    assert (border < 1).all()
    assert border.std() > 0
    np.testing.assert_array_equal(border, border[..., :1].repeat(3, -1))


@pytest.mark.parametrize("values", [{"widths": ()}, {"widths": (8, 0)}, {"channels": 0}])
def test_an_impossible_shape_is_refused(values: dict):
    with pytest.raises(ModelError):
        Config(**values)
