from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.export.litert import export_litert
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.layers._softplus import softplus

NUMBERS = np.array([-200, -20, -1, 0, 1, 19, 21, 90, 1e4], np.float32).reshape(1, 1, -1, 1)
EXPECTED = np.logaddexp(0, NUMBERS.astype(np.float64))


def test_it_is_the_logarithm_of_one_plus_exp():
    computed = keras.ops.convert_to_numpy(softplus(keras.ops.convert_to_tensor(NUMBERS)))
    np.testing.assert_allclose(computed, EXPECTED, rtol=1e-6, atol=1e-12)


def test_it_does_not_overflow_in_litert_where_that_of_keras_does(tmp_path: Path):
    results = []
    for function in (softplus, keras.ops.softplus):
        numbers = keras.Input((None, None, 1), name="noisy")
        export_litert(keras.Model(numbers, function(numbers)), tmp_path / "model.tflite")
        (result,) = LiteRTEngine(tmp_path / "model.tflite")({"noisy": NUMBERS}).values()
        results.append(result)
    np.testing.assert_allclose(results[0], EXPECTED, rtol=1e-6, atol=1e-6)
    if np.isfinite(results[1]).all():
        pytest.fail("LiteRT's own softplus no longer overflows: use it, and remove ours")
