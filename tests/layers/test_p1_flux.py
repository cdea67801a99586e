from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.layers.p1_flux import P1Flux


def _evaluate(layer: P1Flux, s: np.ndarray) -> np.ndarray:
    """The fluxes of the same responses for two filters, (number of responses, 2)."""
    responses = np.repeat(s.astype(np.float32)[:, np.newaxis], 2, axis=1)[np.newaxis, np.newaxis]
    return keras.ops.convert_to_numpy(layer(responses))[0, 0]


def _random(pieces: int, reach: float) -> tuple[P1Flux, np.ndarray]:
    layer = P1Flux(pieces, reach)
    _evaluate(layer, np.zeros(1))
    values = np.random.default_rng(0).normal(0, 1, (pieces, 2)).astype(np.float32)
    layer.set_weights([values])
    return layer, values


@pytest.mark.parametrize(("pieces", "reach"), [(1, 2.0), (5, 1.0), (6, 4.5)])
def test_it_interpolates_its_values_and_is_constant_beyond(pieces: int, reach: float):
    layer, values = _random(pieces, reach)
    s = np.linspace(-1.5 * reach, 1.5 * reach, 401)
    knots = np.arange(-pieces, pieces + 1) * (reach / pieces)
    for filter_, own in enumerate(values.T):
        nodes = np.concatenate([-own[::-1], [0], own])
        expected = np.interp(s, knots, nodes)
        np.testing.assert_allclose(_evaluate(layer, s)[:, filter_], expected, atol=1e-5)


def test_it_starts_as_perona_and_maliks_function_at_the_knots():
    layer = P1Flux(8, 4.0)
    s = np.arange(-8, 9) / 2
    expected = np.repeat((s / (1 + s**2))[:, np.newaxis], 2, axis=1)
    np.testing.assert_allclose(_evaluate(layer, s), expected, atol=1e-6)


def test_the_trained_numbers_are_as_many_as_counted():
    layer, _ = _random(6, 4.5)
    assert layer.count_params() == 12 == layer.mac_per_position()


@pytest.mark.parametrize("options", [{"pieces": 0}, {"reach": 0.0}, {"reach": float("nan")}])
def test_an_impossible_flux_is_refused(options: dict):
    with pytest.raises(ModelError):
        P1Flux(**options)


def test_a_config_makes_an_equal_layer():
    layer = P1Flux(4, 2.0, name="flux")
    assert P1Flux.from_config(layer.get_config()).get_config() == layer.get_config()
