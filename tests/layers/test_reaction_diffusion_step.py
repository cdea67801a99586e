from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.reaction_diffusion_step import (
    P1Flux,
    PeronaMalikFlux,
    ReactionDiffusionStep,
)

SIZES = [(1, 1), (1, 5), (4, 3), (9, 11)]


def _image(height: int = 9, width: int = 11, channels: int = 1, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((2, height, width, channels), np.float32)


def _run(step: ReactionDiffusionStep, u: np.ndarray, **tensors: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(step(u, **tensors))


def _identity() -> keras.layers.Layer:
    """The flux phi(s) = s, which leaves all to the filters."""
    return keras.layers.Activation("linear")


def _random(step: ReactionDiffusionStep, channels: int = 1) -> np.ndarray:
    """Gives the step random filters; returns them, of mean zero."""
    step.build((None, None, None, channels))
    kernel = np.random.default_rng(3).normal(0, 0.3, step.kernel.shape).astype(np.float32)
    step.kernel.assign(kernel)
    return kernel - kernel.mean((0, 1))


def _loop(u: np.ndarray, kernel: np.ndarray, phi: Any) -> np.ndarray:
    """The sum of k_i^T * phi(k_i * u), pixel by pixel."""
    images, height, width, _ = u.shape
    size, margin = len(kernel), len(kernel) // 2
    wide = np.pad(u, ((0, 0), (margin,) * 2, (margin,) * 2, (0, 0)), mode="edge")
    result = np.zeros((images, height + 2 * margin, width + 2 * margin, u.shape[-1]))
    for image, row, column in np.ndindex(images, height, width):
        window = np.s_[image, row : row + size, column : column + size]
        fluxes = phi(np.einsum("abc,abcn->n", wide[window], kernel))
        result[window] += kernel @ fluxes
    return result[:, margin : margin + height, margin : margin + width]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_step_is_what_a_loop_over_pixels_gives(channels: int, size: tuple[int, int]):
    step = ReactionDiffusionStep(4, 3, PeronaMalikFlux(coupled=False), 0.7, reaction=None)
    kernel = _random(step, channels)
    u = _image(*size, channels)
    change = 0.2 * 0.7 / 9 * _loop(u, kernel, lambda r: r / 0.2 / (1 + (r / 0.2) ** 2))
    np.testing.assert_allclose(_run(step, u, contrast=0.2), u - change, atol=1e-5)


def test_a_contrast_of_each_pixel_is_the_same_as_one_for_all():
    step = ReactionDiffusionStep(4, 3, PeronaMalikFlux(2), reaction=None)
    _random(step)
    each = np.full((2, 9, 11, 1), 0.3, np.float32)
    expected = _run(step, _image(), contrast=0.3)
    np.testing.assert_allclose(_run(step, _image(), contrast=each), expected, atol=1e-6)
    each[:, :, 7:] = 0.05
    mixed = _run(step, _image(), contrast=each)
    np.testing.assert_allclose(mixed[:, :, :6], expected[:, :, :6], atol=1e-6)
    assert np.abs(mixed - expected)[:, :, 7:].max() > 1e-3


def test_twice_the_noise_in_an_image_of_twice_the_range_is_the_same():
    step = ReactionDiffusionStep(4, 3, P1Flux(4), reaction=None)
    _random(step)
    u = _image()
    doubled = _run(step, 2 * u, contrast=0.3)
    np.testing.assert_allclose(doubled, 2 * _run(step, u, contrast=0.15), atol=1e-5)


@pytest.mark.parametrize("flux", [PeronaMalikFlux(2), P1Flux(4)], ids=["rational", "p1"])
def test_a_flat_image_stays_and_brightness_does_not_count(flux: keras.layers.Layer):
    step = ReactionDiffusionStep(5, 3, flux, reaction=None)
    _random(step, 3)
    flat = np.full((1, 6, 5, 3), 0.7, np.float32)
    np.testing.assert_allclose(_run(step, flat, contrast=0.1), flat, atol=1e-6)
    u = _image(channels=3)
    brighter = _run(step, u + 0.5, contrast=0.1)
    np.testing.assert_allclose(brighter, _run(step, u, contrast=0.1) + 0.5, atol=1e-5)


@pytest.mark.parametrize(("size", "channels"), [(3, 1), (5, 1), (3, 3)])
def test_the_first_filters_are_orthonormal_and_make_a_moving_average(size: int, channels: int):
    count = channels * (size**2 - 1)
    step = ReactionDiffusionStep(count, size, _identity(), 1.0, reaction=None)
    u = _image(17, 17, channels)
    smoothed = _run(step, u, contrast=1.0)
    filters = keras.ops.convert_to_numpy(step.kernel).reshape(-1, count)
    np.testing.assert_allclose(filters.T @ filters, np.eye(count), atol=1e-6)
    # A window's mean, at each of the windows that a pixel is in.
    middle = 8
    weights = np.convolve(np.ones(size), np.ones(size)) / size**2
    window = np.s_[:, middle - size + 1 : middle + size, middle - size + 1 : middle + size]
    expected = np.einsum("nabc,a,b->nc", u[window], weights, weights)
    np.testing.assert_allclose(smoothed[:, middle, middle], expected, atol=1e-5)


def test_more_filters_than_cosines_start_at_random_and_stay_the_same():
    kernels = []
    for _ in range(2):
        step = ReactionDiffusionStep(10, 3, _identity())
        step.build((None, None, None, 1))
        kernels.append(keras.ops.convert_to_numpy(step.kernel))
    np.testing.assert_array_equal(*kernels)
    np.testing.assert_allclose(np.linalg.norm(kernels[0].reshape(9, 10), axis=0), 1, atol=1e-6)


def test_a_reaction_pulls_to_the_noisy_image():
    u, noisy = _image(), _image(seed=1)
    plain = _run(ReactionDiffusionStep(4, 3, P1Flux(), reaction=None), u, contrast=0.2)
    step = ReactionDiffusionStep(4, 3, P1Flux(), reaction=0.1)
    pulled = _run(step, u, contrast=0.2, noisy=noisy)
    np.testing.assert_allclose(pulled, plain - 0.1 * (u - noisy), atol=1e-6)


@pytest.mark.parametrize(
    ("flux", "cost"), [(PeronaMalikFlux(2), 2 * 36 + 2 * 16 + 8), (P1Flux(6), 2 * 36 + 24)]
)
def test_the_cost_by_hand(flux: keras.layers.Layer, cost: int):
    step = ReactionDiffusionStep(4, 3, flux)
    step.build((None, None, None, 1))
    assert step.mac_per_position() == cost


@pytest.mark.parametrize(("filters", "size"), [(0, 3), (4, 4), (4, 1)])
def test_an_impossible_step_is_refused(filters: int, size: int):
    with pytest.raises(ModelError):
        ReactionDiffusionStep(filters, size, P1Flux())


@pytest.mark.parametrize("tensors", [{}, {"contrast": 0.1}])
def test_a_call_without_what_the_step_needs_is_refused(tensors: dict):
    with pytest.raises(TypeError, match=r"give \w+=\.\.\."):
        ReactionDiffusionStep(4, 3, P1Flux())(_image(), **tensors)


def test_a_config_makes_an_equal_step():
    step = ReactionDiffusionStep(4, 3, P1Flux(5, 2.0), 0.3, None, name="step")
    again = ReactionDiffusionStep.from_config(step.get_config())
    assert again.get_config() == step.get_config()
    result = _run(again, _image(), contrast=0.2)
    np.testing.assert_array_equal(result, _run(step, _image(), contrast=0.2))


def _evaluate(layer: P1Flux, s: np.ndarray) -> np.ndarray:
    """The fluxes of the same responses for two filters, (number of responses, 2)."""
    responses = np.repeat(s.astype(np.float32)[:, np.newaxis], 2, axis=1)[np.newaxis, np.newaxis]
    return keras.ops.convert_to_numpy(layer(responses))[0, 0]


def _random_of_p1_flux(pieces: int, reach: float) -> tuple[P1Flux, np.ndarray]:
    layer = P1Flux(pieces, reach)
    _evaluate(layer, np.zeros(1))
    values = np.random.default_rng(0).normal(0, 1, (pieces, 2)).astype(np.float32)
    layer.set_weights([values])
    return layer, values


@pytest.mark.parametrize(("pieces", "reach"), [(1, 2.0), (5, 1.0), (6, 4.5)])
def test_p1_flux_interpolates_its_values_and_is_constant_beyond(pieces: int, reach: float):
    layer, values = _random_of_p1_flux(pieces, reach)
    s = np.linspace(-1.5 * reach, 1.5 * reach, 401)
    knots = np.arange(-pieces, pieces + 1) * (reach / pieces)
    for filter_, own in enumerate(values.T):
        nodes = np.concatenate([-own[::-1], [0], own])
        expected = np.interp(s, knots, nodes)
        np.testing.assert_allclose(_evaluate(layer, s)[:, filter_], expected, atol=1e-5)


def test_p1_flux_starts_as_perona_and_maliks_function_at_the_knots():
    layer = P1Flux(8, 4.0)
    s = np.arange(-8, 9) / 2
    expected = np.repeat((s / (1 + s**2))[:, np.newaxis], 2, axis=1)
    np.testing.assert_allclose(_evaluate(layer, s), expected, atol=1e-6)


def test_the_trained_numbers_are_as_many_as_counted_of_p1_flux():
    layer, _ = _random_of_p1_flux(6, 4.5)
    assert layer.count_params() == 12 == layer.mac_per_position()


@pytest.mark.parametrize("options", [{"pieces": 0}, {"reach": 0.0}, {"reach": float("nan")}])
def test_an_impossible_flux_is_refused_of_p1_flux(options: dict):
    with pytest.raises(ModelError):
        P1Flux(**options)


def _responses(filters: int = 3, size: float = 3.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, size, (2, 4, 5, filters)).astype(np.float32)


def _evaluate_of_perona_malik_flux(layer: PeronaMalikFlux, responses: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(responses))


def _random_of_perona_malik_flux(layer: PeronaMalikFlux, responses: np.ndarray) -> None:
    layer(responses)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 1, weight.shape) for weight in layer.get_weights()])


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("terms", [1, 2])
def test_one_filter_starts_as_perona_and_maliks_function(coupled: bool, terms: int):
    s = _responses(1)
    flux = _evaluate_of_perona_malik_flux(PeronaMalikFlux(terms, coupled), s)
    np.testing.assert_allclose(flux, s / (1 + s**2), atol=1e-6)


@pytest.mark.parametrize("terms", [1, 3])
def test_filters_alone_are_a_loop_over_filters_and_terms_of_perona_malik_flux(terms: int):
    s, layer = _responses(), PeronaMalikFlux(terms, coupled=False)
    _random_of_perona_malik_flux(layer, s)
    roots, weights = (weight.reshape(terms, 3) for weight in layer.get_weights())
    expected = np.zeros_like(s)
    for m in range(terms):
        for i in range(3):
            expected[..., i] += weights[m, i] * s[..., i] / (1 + roots[m, i] ** 2 * s[..., i] ** 2)
    np.testing.assert_allclose(_evaluate_of_perona_malik_flux(layer, s), expected, atol=1e-5)


@pytest.mark.parametrize("terms", [1, 3])
def test_coupled_filters_are_a_loop_over_pairs_and_terms_of_perona_malik_flux(terms: int):
    s, layer = _responses(), PeronaMalikFlux(terms)
    _random_of_perona_malik_flux(layer, s)
    roots, weights = layer.get_weights()
    roots, weights = roots.reshape(3, terms, 3), weights.reshape(terms, 3)
    expected = np.zeros_like(s)
    for m in range(terms):
        for i in range(3):
            measure = sum(roots[j, m, i] ** 2 * s[..., j] ** 2 for j in range(3))
            expected[..., i] += weights[m, i] * s[..., i] / (1 + measure)
    np.testing.assert_allclose(_evaluate_of_perona_malik_flux(layer, s), expected, atol=1e-5)


def test_a_coupled_flux_stops_where_another_filter_sees_structure_of_perona_malik_flux():
    alone = np.zeros((1, 1, 1, 3), np.float32)
    alone[..., 0] = 0.5
    beside = alone.copy()
    beside[..., 1] = 20.0
    coupled, single = PeronaMalikFlux(), PeronaMalikFlux(coupled=False)
    assert (
        _evaluate_of_perona_malik_flux(coupled, beside)[..., 0]
        < 0.1 * _evaluate_of_perona_malik_flux(coupled, alone)[..., 0]
    )
    assert (
        _evaluate_of_perona_malik_flux(single, beside)[..., 0]
        == _evaluate_of_perona_malik_flux(single, alone)[..., 0]
    )


@pytest.mark.parametrize("coupled", [True, False])
def test_the_flux_is_odd_and_no_larger_than_the_bound_of_perona_malik_flux(coupled: bool):
    s, layer = _responses(size=100.0), PeronaMalikFlux(2, coupled)
    _random_of_perona_malik_flux(layer, s)
    flux = _evaluate_of_perona_malik_flux(layer, s)
    np.testing.assert_array_equal(_evaluate_of_perona_malik_flux(layer, -s), -flux)
    roots, weights = layer.get_weights()
    own = [roots[0, 0, i if coupled else 0, [i, 3 + i]] for i in range(3)]
    bound = [(np.abs(weights[[i, 3 + i]]) / (2 * np.abs(own[i]))).sum() for i in range(3)]
    assert (np.abs(flux) <= np.array(bound, np.float32) + 1e-5).all()


@pytest.mark.parametrize(
    ("terms", "coupled", "weights"), [(1, False, 6), (2, False, 12), (1, True, 12), (2, True, 24)]
)
def test_the_trained_numbers_are_as_many_as_counted_of_perona_malik_flux(
    terms: int, coupled: bool, weights: int
):
    layer = PeronaMalikFlux(terms, coupled)
    layer(_responses())
    assert layer.count_params() == weights


def test_a_flux_of_no_term_is_refused_of_perona_malik_flux():
    with pytest.raises(ModelError):
        PeronaMalikFlux(0)
