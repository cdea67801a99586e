from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.layers.shared_values import SharedValues

IMAGE = np.zeros((2, 3, 3, 1), np.float32)


@pytest.mark.parametrize("learned", [True, False])
def test_the_numbers_are_a_weight_that_can_be_assigned(learned: bool):
    layer = SharedValues((0.5, -1.0), learned)
    assert keras.ops.convert_to_numpy(layer(IMAGE)).tolist() == [[[[0.5, -1.0]]]]
    assert len(layer.trainable_weights) == learned
    assert len(layer.weights) == 1
    layer.values.assign([2.0, 3.0])
    assert keras.ops.convert_to_numpy(layer(IMAGE)).tolist() == [[[[2.0, 3.0]]]]


def test_a_config_makes_an_equal_layer():
    layer = SharedValues((0.5,), learned=False, name="contrast")
    again = SharedValues.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
