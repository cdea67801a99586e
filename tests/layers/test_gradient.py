from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.layers._gradient import square_gradient, take_differences, take_divergence

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
    assert inner == pytest.approx(-np.vdot(image, divergence), abs=1e-3)
    np.testing.assert_allclose(divergence.sum((1, 2)), 0, atol=1e-4)


def test_the_square_of_the_gradient_sums_over_directions_and_channels():
    right, below = _image(3, 4), _image(3, 4, seed=1)
    (square,) = _numpy((square_gradient(right, below),))
    expected = (right**2 + below**2).sum(-1, keepdims=True)
    np.testing.assert_allclose(square, expected, rtol=1e-6)
