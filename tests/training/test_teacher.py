from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.training.tasks.distillation import Teacher, compare_with_teacher

PATCHES = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)


def _network(*, of_two: bool = False) -> keras.Model:
    """A convolution that gives another result for each flip and turn."""
    noisy = keras.Input((None, None, 3))
    kernel = np.random.default_rng(1).normal(0, 0.1, (3, 3, 3, 3))
    convolution = keras.layers.Conv2D(
        3, 3, padding="same", kernel_initializer=keras.initializers.Constant(kernel)
    )
    if not of_two:
        return keras.Model(noisy, 0.5 + convolution(noisy))
    level = keras.Input((None, None, 1))
    return keras.Model([noisy, level], 0.5 + convolution(noisy) + level)


def _all_turns(network: keras.Model) -> list[np.ndarray]:
    results = []
    for number in range(4):
        for mirror in (False, True):
            turned = np.rot90(PATCHES, number, (1, 2))
            turned = turned[:, ::-1] if mirror else turned
            denoised = np.asarray(network(np.ascontiguousarray(turned)))
            denoised = denoised[:, ::-1] if mirror else denoised
            results.append(np.rot90(denoised, -number, (1, 2)).clip(0, 1))
    return results


def test_each_result_is_that_of_one_of_eight_turns():
    network = _network()
    teacher, seed = Teacher(network), keras.random.SeedGenerator(0)
    found = set()
    for _ in range(100):
        taught = np.asarray(teacher(PATCHES, seed))
        errors = [np.abs(taught - turned).max() for turned in _all_turns(network)]
        assert min(errors) < 1e-5
        found.add(int(np.argmin(errors)))
    assert found == set(range(8))


def test_the_level_is_turned_with_the_picture():
    level = np.float32(0.1) * np.arange(16, dtype=np.float32)[:, None, None] / 16
    level = np.broadcast_to(level, (2, 16, 16, 1))
    pair = Teacher(_network(of_two=True))
    alone = Teacher(_network())
    both = np.asarray(pair([PATCHES, level], keras.random.SeedGenerator(3)))
    without = np.asarray(alone(PATCHES, keras.random.SeedGenerator(3)))
    np.testing.assert_allclose(both, np.clip(without + level, 0, 1), atol=1e-5)


def test_there_is_no_gradient():
    import tensorflow as tf

    values = tf.constant(PATCHES)
    with tf.GradientTape() as tape:
        tape.watch(values)
        loss = tf.reduce_sum(Teacher(_network())(values, keras.random.SeedGenerator(0)))
    assert tape.gradient(loss, values) is None


def test_each_patch_counts_by_the_inverse_of_its_error():
    clean = np.zeros((2, 8, 8, 3), np.float32)
    denoised = clean + np.float32([0.1, 0.01]).reshape(2, 1, 1, 1)
    seen = {"target": clean, "denoised": denoised, "taught": 0.5 * denoised}
    assert float(compare_with_teacher(seen)) == pytest.approx(0.25, rel=0.02)
