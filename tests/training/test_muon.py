from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.training.muon import Muon


def _step(shape: tuple[int, ...]) -> np.ndarray:
    """What one step of rate 1 changes in a weight of zeros, whose gradient is random."""
    weight = keras.Variable(np.zeros(shape, np.float32))
    optimizer = Muon(learning_rate=1.0, weight_decay=None, adam_weight_decay=None)
    optimizer.build([weight])
    gradient = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    optimizer.apply_gradients([(keras.ops.array(gradient), weight)])
    return keras.ops.convert_to_numpy(weight)


@pytest.mark.parametrize("shape", [(3, 3, 8, 16), (1, 1, 32, 4), (24, 8)])
def test_a_step_of_a_kernel_has_nearly_equal_singular_values(shape: tuple[int, ...]):
    change = _step(shape).reshape(-1, shape[-1])
    values = np.linalg.svd(change, compute_uv=False)
    assert values.max() / values.min() < 2
    # The size of Adam's steps: a root mean square of about 0.2 of the rate.
    assert np.sqrt(np.mean(np.square(change))) == pytest.approx(0.2, rel=0.3)


def test_a_vector_gets_a_step_of_adam():
    np.testing.assert_allclose(np.abs(_step((10,))), 1.0, rtol=1e-3)
