from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.layers.border_mix import BorderMix

BORDER = np.array([0, 0.3, 0.5, 0.7, 1], np.float32).reshape(1, 1, 5, 1)
AT_BORDER = np.full((1, 1, 1, 1), 0.1, np.float32)
ELSEWHERE = np.full((1, 1, 1, 1), 0.6, np.float32)


def _mix(layer: BorderMix, training: bool) -> np.ndarray:
    mixed = layer(BORDER, AT_BORDER, ELSEWHERE, training=training)
    return keras.ops.convert_to_numpy(mixed).ravel()


def test_it_is_soft_in_training_and_hard_afterwards():
    soft = [0.6, 0.45, 0.35, 0.25, 0.1]
    np.testing.assert_allclose(_mix(BorderMix(), training=True), soft, atol=1e-6)
    hard = [0.6, 0.6, 0.6, 0.1, 0.1]
    np.testing.assert_allclose(_mix(BorderMix(), training=False), hard, atol=1e-6)


def test_it_can_be_soft_always():
    layer = BorderMix(hard=False)
    np.testing.assert_array_equal(_mix(layer, training=False), _mix(layer, training=True))


def test_gradients_reach_the_values_and_not_the_border():
    tensors = [tf.constant(array) for array in (BORDER, AT_BORDER, ELSEWHERE)]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        mixed = BorderMix()(*tensors, training=True)
    border, at_border, elsewhere = tape.gradient(mixed, tensors)
    assert border is None
    assert float(tf.squeeze(at_border)) == float(BORDER.sum())
    assert float(tf.squeeze(elsewhere)) == float((1 - BORDER).sum())


def test_a_config_makes_an_equal_layer():
    layer = BorderMix(hard=False, name="mix")
    assert BorderMix.from_config(layer.get_config()).get_config() == layer.get_config()
