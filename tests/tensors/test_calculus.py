from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.export.litert import export_litert
from kerasdenoise.inference.engines import LiteRTEngine
from kerasdenoise.tensors.calculus import (
    softplus,
    square_gradient,
    take_differences,
    take_divergence,
)

SIZES = [(1, 1), (1, 5), (5, 1), (17, 23)]


def _image(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((2, height, width, 3), np.float32)


def _numpy(tensors: tuple) -> tuple[np.ndarray, ...]:
    return tuple(keras.ops.convert_to_numpy(tensor) for tensor in tensors)


@pytest.mark.parametrize("size", SIZES)
def test_differences_are_those_to_the_right_and_below(size: tuple[int, int]):
    image = _image(*size)
    right, below = _numpy(take_differences(keras.ops.convert_to_tensor(image)))
    np.testing.assert_array_equal(right[:, :, :-1], np.diff(image, axis=2))
    np.testing.assert_array_equal(below[:, :-1], np.diff(image, axis=1))
    assert not right[:, :, -1].any()
    assert not below[:, -1].any()


@pytest.mark.parametrize("size", SIZES)
def test_divergence_is_the_negative_adjoint_of_the_differences(size: tuple[int, int]):
    image, other = _image(*size), _image(*size, seed=1)
    # Any flow that is nothing over the edge of the image.
    flow = [other.copy(), other[..., ::-1].copy()]
    flow[0][:, :, -1] = 0
    flow[1][:, -1] = 0
    differences = _numpy(take_differences(keras.ops.convert_to_tensor(image)))
    (divergence,) = _numpy((take_divergence(*map(keras.ops.convert_to_tensor, flow)),))
    inner = sum(np.vdot(a, b) for a, b in zip(differences, flow, strict=True))
    assert inner == pytest.approx(-float(np.vdot(image, divergence)), abs=1e-3)
    np.testing.assert_allclose(divergence.sum((1, 2)), 0, atol=1e-4)


def test_the_square_of_the_gradient_sums_over_directions_and_channels():
    right, below = _image(3, 4), _image(3, 4, seed=1)
    (square,) = _numpy((square_gradient(right, below),))
    expected = (right**2 + below**2).sum(-1, keepdims=True)
    np.testing.assert_allclose(square, expected, rtol=1e-6)


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
