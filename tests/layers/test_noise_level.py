from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from kerasdenoise.layers import NoiseLevel

LEVEL = np.random.default_rng(0).random((2, 5, 7, 1), np.float32)


def test_the_level_passes_as_it_is():
    np.testing.assert_array_equal(NoiseLevel()(LEVEL), LEVEL)


def test_so_does_its_gradient():
    level = tf.Variable(LEVEL)
    with tf.GradientTape() as tape:
        total = keras.ops.sum(3.0 * NoiseLevel()(level))
    np.testing.assert_array_equal(tape.gradient(total, level), np.full_like(LEVEL, 3.0))


def test_it_is_saved_by_its_registered_name():
    config = keras.saving.serialize_keras_object(NoiseLevel(name="noise_level"))
    assert config["registered_name"] == "kerasdenoise>NoiseLevel"
    restored = keras.saving.deserialize_keras_object(config)
    assert (type(restored), restored.name) == (NoiseLevel, "noise_level")
