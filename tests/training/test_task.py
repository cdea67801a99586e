from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.losses import get_loss
from kerasdenoise.models import get_architecture
from kerasdenoise.noise import Gaussian
from kerasdenoise.training.noise_level import give_inputs, measure_noise
from kerasdenoise.training.tasks.supervised import Supervised

CLEAN = np.random.default_rng(0).random((6, 24, 24, 1), np.float32)


def _task(denoiser: keras.Model, **options: Any) -> Supervised:
    task = Supervised(denoiser, Gaussian(0.1, 0.3), get_loss("l2"), 16, 0, **options)
    task.compile(optimizer=keras.optimizers.SGD(1.0), jit_compile=False)
    return task


def _scale(**options: Any) -> keras.Model:
    """One factor for the whole image: the simplest network there is."""
    noisy = keras.Input((None, None, 1), name="noisy")
    ones = keras.initializers.Constant(1.5)
    scale = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer=ones, **options)
    return keras.Model(noisy, scale(noisy))


def test_the_noise_of_each_image_is_measured():
    levels = np.float32([0.0, 0.05, 0.2]).reshape(3, 1, 1, 1)
    clean = np.zeros((3, 100, 100, 3), np.float32)
    noisy = clean + levels * np.random.default_rng(0).normal(size=clean.shape).astype(np.float32)
    np.testing.assert_allclose(measure_noise(noisy, clean), levels, rtol=0.01)


def test_a_network_that_takes_the_level_is_told_that_of_each_image():
    unet = get_architecture("unet")
    task = _task(unet.build(unet.Config(1, (4, 8), (1, 1), noise_level=True)))
    _, level = task(CLEAN)["inputs"]
    assert level.shape == (6, 16, 16, 1)
    told = np.asarray(level)
    np.testing.assert_array_equal(told, told[:, :1, :1] * np.ones_like(told))
    assert len(np.unique(told)) == 6
    assert 0.08 < told.min() < told.max() < 0.32
    assert np.isfinite(task.train_on_batch(CLEAN))


def test_another_network_is_not_told():
    network = _scale()
    assert give_inputs(network, CLEAN, None) is CLEAN


def test_weight_decay_adds_the_weights_to_their_gradients():
    plain, decayed = _task(_scale()), _task(_scale(), weight_decay=0.25)
    for task in (plain, decayed):
        task.train_on_batch(CLEAN)
    # The same noise, a rate of 1 and a weight of 1.5: the difference is the decay alone.
    difference = plain.denoiser.get_weights()[0] - decayed.denoiser.get_weights()[0]
    assert difference.item() == pytest.approx(0.25 * 1.5, rel=1e-4)


def test_penalties_of_layers_count():
    free, held = _task(_scale()), _task(_scale(kernel_regularizer=keras.regularizers.L2(0.125)))
    losses = [task.train_on_batch(CLEAN) for task in (free, held)]
    assert losses[1] - losses[0] == pytest.approx(0.125 * 1.5**2, rel=1e-4)
