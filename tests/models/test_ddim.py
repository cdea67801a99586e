from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_parts
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.ddim import PREDICTOR, SPREAD, Config, build

RNG = np.random.default_rng(0)
SPACES = ("pixels", "frequencies", "sphere")


def _small(space: str, **changes: Any) -> Config:
    return Config(**{"space": space, "block": 4, "widths": (6,), "blocks": (1,), **changes})


def _randomize(network: keras.Model, size: float = 1.0) -> None:
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(size * RNG.normal(0, fan_in**-0.5, weight.shape))


def _find_predictor(network: keras.Model) -> Any:
    return next(layer for layer in find_layers(network) if layer.name == PREDICTOR)


def _numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _noisy(config: Config) -> np.ndarray:
    shape = (2, 3 * config.stride, 2 * config.stride, config.channels)
    return RNG.uniform(-0.3, 1.3, shape).astype(np.float32)


@pytest.mark.parametrize("space", ["frequencies", "sphere"])
@pytest.mark.parametrize("size", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("level", [0.0, 0.1, 5.0])
def test_it_is_stable_whatever_its_weights_and_the_level(space: str, size: float, level: float):
    config = _small(space, steps=5, noise_level=True)
    network = build(config)
    noisy = _noisy(config)
    given = [noisy, np.full((*noisy.shape[:3], 1), level, np.float32)]
    noisy[1] = 0.5  # from which nothing may lead away, also not at the borders
    for _ in range(3):
        _randomize(network, size)
        denoised = _numpy(network(given))
        assert np.isfinite(denoised).all()
        power = [np.square(each - 0.5).sum((1, 2, 3)) for each in (denoised, noisy)]
        assert (power[0] <= power[1] * (1 + 1e-5) + 1e-9).all()


@pytest.mark.parametrize("space", SPACES)
def test_one_step_is_the_network_within(space: str):
    config = _small(space, steps=1, noise_level=True)
    network = build(config)
    _randomize(network)
    noisy = _noisy(config)
    given = [noisy, np.full((*noisy.shape[:3], 1), 0.2, np.float32)]
    expected = _numpy(_find_predictor(network)(given))
    np.testing.assert_allclose(_numpy(network(given)), expected, atol=1e-6)


def test_steps_go_from_the_level_to_none_by_equal_angles():
    config = _small("pixels", steps=3, noise_level=True)
    network = build(config)
    _randomize(network)
    predictor, u = _find_predictor(network), _noisy(config)
    shape = (*u.shape[:3], 1)
    levels = [SPREAD * np.tan(np.arctan(0.3 / SPREAD) * share) for share in (1, 2 / 3, 1 / 3, 0)]
    expected = u
    for level, later in itertools.pairwise(levels):
        clean = _numpy(predictor([expected, np.full(shape, level, np.float32)]))
        expected = clean + later / level * (expected - clean)
    result = _numpy(network([u, np.full(shape, 0.3, np.float32)]))
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize("space", SPACES)
def test_an_untrained_network_estimates_the_level_and_gives_a_picture(space: str):
    config = _small(space)
    network = build(config)
    noisy = _noisy(config)
    level, _, tile = get_parts(network)
    assert level is not None
    expected = _numpy(tile([noisy, _numpy(level(noisy))]))
    np.testing.assert_allclose(_numpy(network(noisy)), expected, atol=1e-5)


def test_with_eta_each_seed_gives_another_picture_and_always_the_same():
    pictures = []
    for seed in (0, 0, 1):
        config = _small("pixels", steps=3, eta=1.0, seed=seed, noise_level=True)
        network = build(config)
        network.set_weights(pictures[0][1] if pictures else network.get_weights())
        noisy = np.random.default_rng(2).random((1, 16, 16, 3), np.float32)
        given = [noisy, np.full((1, 16, 16, 1), 0.2, np.float32)]
        pictures.append((_numpy(network(given)), network.get_weights()))
    np.testing.assert_array_equal(pictures[0][0], pictures[1][0])
    assert np.abs(pictures[0][0] - pictures[2][0]).std() > 0.02


def test_the_sphere_keeps_the_norm_or_less_of_each_block():
    config = _small("sphere", steps=1, noise_level=True)
    network = build(config)
    _randomize(network, 3.0)
    noisy = _noisy(config)
    given = [noisy, np.full((*noisy.shape[:3], 1), 0.2, np.float32)]
    norms = [
        np.square(_numpy(keras.ops.space_to_depth(each - 0.5, 4))).sum(-1)
        for each in (_numpy(network(given)), noisy)
    ]
    assert (norms[0] <= norms[1] * (1 + 1e-5)).all()
    assert norms[0].mean() > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"space": "fourier"}, "space 'fourier'.*pixels, frequencies, sphere"),
        ({"block": 5}, "block 5.*even"),
        ({"block": 0}, "block 0.*even"),
        ({"steps": 0}, "below 1"),
        ({"eta": 1.5}, "eta 1.5.*0 to 1"),
        ({"eta": float("nan")}, "eta nan"),
        ({"seed": -1}, "seed -1"),
        ({"widths": (4, 8)}, r"widths \(4, 8\).*blocks"),
        ({"channels": 0}, "below 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ModelError, match=message):
        _small(**{"space": "pixels", **changes})
