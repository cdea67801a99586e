from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import BSpline

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.network import merge_context
from kerasdenoise.layers.diffusion_step import DiffusionStep
from kerasdenoise.layers.p1_coefficient import EdgeIndicator, GlobalMaximum, P1Coefficient

FORMS = list(itertools.product([False, True], [False, True]))


def _thetas(layer: P1Coefficient, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 2, (2, 1, 1, layer.count)).astype(np.float32)


def _top(value: float = 0.8) -> np.ndarray:
    return np.full((2, 1, 1, 1), value, np.float32)


def _evaluate(layer: P1Coefficient, s: np.ndarray, thetas: np.ndarray) -> np.ndarray:
    """The coefficients of the same indicators for two images, (2, number of indicators)."""
    indicator = np.broadcast_to(s.astype(np.float32)[None, None, :, None], (2, 1, len(s), 1))
    return keras.ops.convert_to_numpy(layer(indicator, thetas, _top()))[:, 0, :, 0]


def _values(layer: P1Coefficient, thetas: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer.values(thetas))[:, 0, 0]


@pytest.mark.parametrize("pieces", [1, 5, 20])
def test_it_is_the_sum_of_hats(pieces: int):
    layer = P1Coefficient(pieces)
    thetas = _thetas(layer)
    s = np.linspace(0, 0.8, 301)
    hats = np.maximum(0, 1 - np.abs(s * pieces / 0.8 - np.arange(pieces + 1)[:, None]))
    np.testing.assert_allclose(hats.sum(0), 1, atol=1e-9)
    np.testing.assert_allclose(
        _evaluate(layer, s, thetas), _values(layer, thetas) @ hats, atol=1e-5
    )


@pytest.mark.parametrize("degree", [2, 3])
def test_splines_of_higher_degree_are_those_of_scipy(degree: int):
    layer = P1Coefficient(6, degree=degree)
    thetas = _thetas(layer)
    s = np.linspace(0, 0.8, 201)
    values = np.pad(_values(layer, thetas), ((0, 0), (1, 1)), mode="edge")
    # Knots around the first spline, which is centered at the place before the first piece.
    knots = np.arange(len(values[0]) + degree + 1) - 1 - (degree + 1) / 2
    for own, expected in zip(_evaluate(layer, s, thetas), values, strict=True):
        spline = BSpline(knots, expected, degree)
        np.testing.assert_allclose(own, spline(s * 6 / 0.8), atol=1e-5)


@pytest.mark.parametrize("degree", [2, 3])
def test_a_monotone_spline_falls_within_its_values(degree: int):
    layer = P1Coefficient(5, monotone=True, degree=degree)
    thetas = _thetas(layer)
    g, values = _evaluate(layer, np.linspace(0, 2, 300), thetas), _values(layer, thetas)
    assert (np.diff(g) <= 1e-6).all()
    assert (g <= values.max(1, keepdims=True) + 1e-6).all()
    assert (g >= values.min(1, keepdims=True) - 1e-6).all()


@pytest.mark.parametrize("settings", [{"degree": 0}, {"degree": 4}, {"degree": 2, "continuous": 0}])
def test_other_splines_are_refused(settings: dict):
    with pytest.raises(ModelError, match="degree"):
        P1Coefficient(5, **settings)


def test_equal_values_are_a_constant():
    layer = P1Coefficient(20)
    thetas = np.full((2, 1, 1, 21), 0.7, np.float32)
    g = _evaluate(layer, np.linspace(0, 2, 99), thetas)
    np.testing.assert_allclose(g, 1.1 / (1 + np.exp(-0.7)) - 0.1, atol=1e-6)


@pytest.mark.parametrize(("monotone", "continuous"), FORMS)
def test_it_is_between_its_values_and_constant_beyond_the_last(monotone: bool, continuous: bool):
    layer = P1Coefficient(6, monotone, continuous)
    thetas = _thetas(layer)
    g, values = _evaluate(layer, np.linspace(0, 3, 500), thetas), _values(layer, thetas)
    assert (g <= values.max(1, keepdims=True) + 1e-6).all()
    assert (g >= values.min(1, keepdims=True) - 1e-6).all()
    assert (values >= -0.1).all()
    assert (values <= 1).all()
    beyond = _evaluate(layer, np.array([0.81, 7.0]), thetas)
    np.testing.assert_allclose(beyond, values[:, -1:].repeat(2, 1), atol=1e-6)


def test_pieces_that_do_not_meet_are_affine_each_with_jumps_between():
    layer = P1Coefficient(4, continuous=False)
    thetas = _thetas(layer)
    values = _values(layer, thetas).reshape(2, 4, 2)
    for piece in range(4):
        share = np.array([0.01, 0.4, 0.99])
        g = _evaluate(layer, (piece + share) * 0.2, thetas)
        left, right = values[:, piece, :1], values[:, piece, 1:]
        np.testing.assert_allclose(g, left + share * (right - left), atol=1e-5)


@pytest.mark.parametrize("continuous", [True, False])
def test_a_monotone_function_falls(continuous: bool):
    layer = P1Coefficient(7, monotone=True, continuous=continuous)
    g = _evaluate(layer, np.linspace(0, 1, 400), _thetas(layer))
    assert (np.diff(g) <= 1e-6).all()
    assert (g[:, 0] - g[:, -1] > 0.05).all()
    free = P1Coefficient(7, continuous=continuous)
    assert (np.diff(_evaluate(free, np.linspace(0, 1, 400), _thetas(free))) > 0.01).any()


@pytest.mark.parametrize("backward", [0.0, 0.1])
@pytest.mark.parametrize(("monotone", "continuous"), FORMS)
def test_it_starts_as_the_exponential_function_at_the_knots(
    monotone: bool, continuous: bool, backward: float
):
    layer = P1Coefficient(20, monotone, continuous, backward)
    thetas = np.array(layer.start(0.3), np.float32).reshape(1, 1, 1, -1).repeat(2, 0)
    knots = np.arange(21) / 20
    # Just inside the last piece, where it has a jump at the knot.
    s = 0.8 * np.minimum(knots, 1 - 1e-6)
    g1 = np.exp(-((knots / 0.3) ** 2))
    np.testing.assert_allclose(_evaluate(layer, s, thetas), [g1, g1], atol=0.021)


@pytest.mark.parametrize("backward", [0.0, 0.1, 0.5])
def test_a_step_with_it_grows_by_no_more_than_the_bound(backward: float):
    layer = P1Coefficient(3, backward=backward)
    step = DiffusionStep(None, 0.2)
    board = np.indices((32, 32)).sum(0).reshape(1, 32, 32, 1).astype(np.float32) % 2 - 0.5
    thetas = np.full((1, 1, 1, 4), -60.0, np.float32)  # everywhere as far below zero as it goes
    g = layer(np.abs(board), thetas, _top()[:1])
    grown = keras.ops.convert_to_numpy(step(board, coefficient=g))
    growth = np.linalg.norm(grown) / np.linalg.norm(board)
    bound = 1 + 8 * 0.2 * backward
    assert growth <= bound + 1e-6
    assert growth >= 0.95 * bound


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 23)])
def test_any_size(size: tuple[int, int]):
    layer = P1Coefficient(4)
    indicator = np.random.default_rng(0).random((2, *size, 1), np.float32)
    assert layer(indicator, _thetas(layer), _top()).shape == (2, *size, 1)


def test_roughness_is_the_mean_sum_of_squared_second_differences():
    indicator = np.zeros((2, 3, 3, 1), np.float32)
    for continuous in (True, False):
        layer = P1Coefficient(5, continuous=continuous, roughness=0.01)
        thetas = _thetas(layer)
        layer(indicator, thetas, _top())
        values = _values(layer, thetas)
        if not continuous:
            values = np.concatenate([values[:, 0::2], values[:, -1:]], 1)
        expected = 0.01 * (np.diff(values, 2) ** 2).sum(1).mean()
        (loss,) = layer.losses
        assert float(loss) == pytest.approx(expected, rel=1e-4)
    smooth = P1Coefficient(5)
    smooth(indicator, _thetas(smooth), _top())
    assert smooth.losses == []


@pytest.mark.parametrize("options", [{"pieces": 0}, {"backward": -0.1}, {"roughness": -1.0}])
def test_an_impossible_function_is_refused(options: dict):
    with pytest.raises(ModelError):
        P1Coefficient(**options)


def _indicate(layer: EdgeIndicator, image: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(image))


def _edge(channels: int = 3) -> np.ndarray:
    image = np.full((1, 12, 12, channels), 0.2, np.float32)
    image[:, :, 6:] = 0.9
    return image


def test_without_convolutions_it_is_the_norm_of_the_gradient_of_edge_indicator():
    image = np.random.default_rng(0).random((2, 9, 7, 3), np.float32)
    square = np.zeros((2, 9, 7))
    square[:, :, :-1] += (np.diff(image, axis=2) ** 2).sum(-1)
    square[:, :-1] += (np.diff(image, axis=1) ** 2).sum(-1)
    indicator = _indicate(EdgeIndicator(), image)
    np.testing.assert_allclose(indicator[..., 0], np.sqrt(square), atol=1.1e-3)


@pytest.mark.parametrize("convolutions", [0, 1, 2, 3])
def test_at_first_it_rises_with_the_edge_and_is_low_elsewhere_of_edge_indicator(convolutions: int):
    keras.utils.set_random_seed(0)
    layer = EdgeIndicator(convolutions)
    strong = _indicate(layer, _edge())
    assert strong.shape == (1, 12, 12, 1)
    assert (strong >= 0).all()
    assert strong[0, 6, 5, 0] > 3 * strong[0, 6, 0, 0]
    assert _indicate(layer, 0.5 * _edge())[0, 6, 5, 0] < strong[0, 6, 5, 0]


@pytest.mark.parametrize("convolutions", [0, 1, 2, 3])
def test_brightness_does_not_count_of_edge_indicator(convolutions: int):
    layer = EdgeIndicator(convolutions)
    image = np.random.default_rng(0).random((1, 8, 8, 3), np.float32)
    np.testing.assert_allclose(_indicate(layer, image + 0.5), _indicate(layer, image), atol=1e-4)


@pytest.mark.parametrize("convolutions", [0, 2])
@pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 23)])
def test_any_size_of_edge_indicator(convolutions: int, size: tuple[int, int]):
    image = np.random.default_rng(0).random((1, *size, 1), np.float32)
    assert _indicate(EdgeIndicator(convolutions), image).shape == (1, *size, 1)


def test_a_flat_image_has_a_gradient_of_edge_indicator():
    image = tf.fill((1, 4, 4, 3), 0.5)
    with tf.GradientTape() as tape:
        tape.watch(image)
        total = tf.reduce_sum(EdgeIndicator()(image))
    assert np.isfinite(tape.gradient(total, image)).all()


def test_the_weights_are_as_many_as_counted_of_edge_indicator():
    layer = EdgeIndicator(3, width=8)
    layer(_edge())
    # From 2 directions, 2 signs and 3 channels.
    expected = (9 * 12 * 8 + 8) + (9 * 8 * 8 + 8) + (9 * 8 + 1)
    assert layer.count_params() == expected


@pytest.mark.parametrize("options", [{"convolutions": -1}, {"width": 0}])
def test_an_impossible_indicator_is_refused(options: dict):
    with pytest.raises(ModelError):
        EdgeIndicator(**options)


def _numpy(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _image(height: int = 17, width: int = 23) -> np.ndarray:
    return np.random.default_rng(0).random((2, height, width, 2), np.float32)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (17, 23)])
def test_it_is_the_maximum_of_each_image_and_channel(size: tuple[int, int]):
    expected = _image(*size).max((1, 2), keepdims=True)
    np.testing.assert_array_equal(_numpy(GlobalMaximum()(_image(*size))), expected)


def test_global_maximum_is_no_less_than_the_floor():
    layer = GlobalMaximum(floor=0.5)
    assert (_numpy(layer(0 * _image())) == 0.5).all()
    value, _ = layer(0 * _image(), summarize=True)
    assert (_numpy(value) == 0).all()
    assert (_numpy(layer(_image(), context=value)) == 0.5).all()


@pytest.mark.parametrize("cut", [1, 12, 16])
def test_merged_from_parts_it_is_nearly_that_of_the_whole_of_global_maximum(cut: int):
    layer, parts = GlobalMaximum(), []
    for part in (_image()[:, :cut], _image()[:, cut:]):
        value, log_weight = layer(part, summarize=True)
        parts.append({"top": _numpy(value), "top_log_weight": _numpy(log_weight)})
    merged = layer(_image(), context=merge_context(tuple(parts))["top"])
    expected = _numpy(layer(_image()))
    np.testing.assert_allclose(_numpy(merged), expected, atol=np.log(2) / 10_000)


def test_no_gradient_flows_back_of_global_maximum():
    image = tf.constant(_image())
    with tf.GradientTape() as tape:
        tape.watch(image)
        top = GlobalMaximum()(image)
    assert tape.gradient(top, image) is None
