from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.perona_malik_flux import PeronaMalikFlux


def _responses(filters: int = 3, size: float = 3.0) -> np.ndarray:
    return np.random.default_rng(0).normal(0, size, (2, 4, 5, filters)).astype(np.float32)


def _evaluate(layer: PeronaMalikFlux, responses: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(responses))


def _random(layer: PeronaMalikFlux, responses: np.ndarray) -> None:
    layer(responses)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.normal(0, 1, weight.shape) for weight in layer.get_weights()])


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("terms", [1, 2])
def test_one_filter_starts_as_perona_and_maliks_function(coupled: bool, terms: int):
    s = _responses(1)
    flux = _evaluate(PeronaMalikFlux(terms, coupled), s)
    np.testing.assert_allclose(flux, s / (1 + s**2), atol=1e-6)


@pytest.mark.parametrize("terms", [1, 3])
def test_filters_alone_are_a_loop_over_filters_and_terms(terms: int):
    s, layer = _responses(), PeronaMalikFlux(terms, coupled=False)
    _random(layer, s)
    roots, weights = (weight.reshape(terms, 3) for weight in layer.get_weights())
    expected = np.zeros_like(s)
    for m in range(terms):
        for i in range(3):
            expected[..., i] += weights[m, i] * s[..., i] / (1 + roots[m, i] ** 2 * s[..., i] ** 2)
    np.testing.assert_allclose(_evaluate(layer, s), expected, atol=1e-5)


@pytest.mark.parametrize("terms", [1, 3])
def test_coupled_filters_are_a_loop_over_pairs_and_terms(terms: int):
    s, layer = _responses(), PeronaMalikFlux(terms)
    _random(layer, s)
    roots, weights = layer.get_weights()
    roots, weights = roots.reshape(3, terms, 3), weights.reshape(terms, 3)
    expected = np.zeros_like(s)
    for m in range(terms):
        for i in range(3):
            measure = sum(roots[j, m, i] ** 2 * s[..., j] ** 2 for j in range(3))
            expected[..., i] += weights[m, i] * s[..., i] / (1 + measure)
    np.testing.assert_allclose(_evaluate(layer, s), expected, atol=1e-5)


def test_a_coupled_flux_stops_where_another_filter_sees_structure():
    alone = np.zeros((1, 1, 1, 3), np.float32)
    alone[..., 0] = 0.5
    beside = alone.copy()
    beside[..., 1] = 20.0
    coupled, single = PeronaMalikFlux(), PeronaMalikFlux(coupled=False)
    assert _evaluate(coupled, beside)[..., 0] < 0.1 * _evaluate(coupled, alone)[..., 0]
    assert _evaluate(single, beside)[..., 0] == _evaluate(single, alone)[..., 0]


@pytest.mark.parametrize("coupled", [True, False])
def test_the_flux_is_odd_and_no_larger_than_the_bound(coupled: bool):
    s, layer = _responses(size=100.0), PeronaMalikFlux(2, coupled)
    _random(layer, s)
    flux = _evaluate(layer, s)
    np.testing.assert_array_equal(_evaluate(layer, -s), -flux)
    roots, weights = layer.get_weights()
    own = [roots[0, 0, i if coupled else 0, [i, 3 + i]] for i in range(3)]
    bound = [(np.abs(weights[[i, 3 + i]]) / (2 * np.abs(own[i]))).sum() for i in range(3)]
    assert (np.abs(flux) <= np.float32(bound) + 1e-5).all()


@pytest.mark.parametrize(
    ("terms", "coupled", "weights"), [(1, False, 6), (2, False, 12), (1, True, 12), (2, True, 24)]
)
def test_the_trained_numbers_are_as_many_as_counted(terms: int, coupled: bool, weights: int):
    layer = PeronaMalikFlux(terms, coupled)
    layer(_responses())
    assert layer.count_params() == weights


def test_a_flux_of_no_term_is_refused():
    with pytest.raises(ModelError):
        PeronaMalikFlux(0)


def test_a_config_makes_an_equal_layer():
    layer = PeronaMalikFlux(2, coupled=False, name="flux")
    assert PeronaMalikFlux.from_config(layer.get_config()).get_config() == layer.get_config()
