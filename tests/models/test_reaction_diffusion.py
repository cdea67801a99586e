from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import mac_per_pixel
from kerasdenoise.models.reaction_diffusion import PRESETS, Config, build


def _image(height: int = 16, width: int = 20, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).random((1, height, width, channels), np.float32)


def _run(network: keras.Model, inputs: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(network(inputs))


def _level(sigma: float, image: np.ndarray) -> np.ndarray:
    return np.full((*image.shape[:3], 1), sigma, np.float32)


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        # Filters, what they heed of each other, the terms' weights; a reaction but in the first.
        ({"terms": 1}, 5 * (25 * 24 + 24 * 24 + 24) + 4),
        ({"terms": 2}, 5 * (25 * 24 + 2 * (24 * 24 + 24)) + 4),
        ({"flux": "rational", "terms": 2}, 5 * (25 * 24 + 4 * 24) + 4),
        ({"flux": "p1", "pieces": 6, "steps": 2}, 2 * (25 * 24 + 6 * 24) + 1),
        ({"channels": 3, "steps": 1, "terms": 1}, 3 * 25 * 24 + 24 * 24 + 24),
    ],
    ids=str,
)
def test_the_trainable_weights_are_as_many_as_counted(values: dict, weights: int):
    network = build(Config(**{"channels": 1, **values}))
    assert sum(int(np.prod(weight.shape)) for weight in network.trainable_weights) == weights


def test_the_cost_by_hand():
    config = Config(channels=1, steps=3)
    assert mac_per_pixel(build(config), 1) == 3 * (2 * 25 * 24 + 2 * 24 * 24 + 2 * 24)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_takes_noise_from_the_start_and_keeps_an_edge(preset: str):
    config = replace(PRESETS[preset], channels=1)
    clean = np.full((1, 24, 24, 1), 0.3, np.float32)
    clean[:, :, 12:] = 0.8
    noise = np.random.default_rng(0).normal(0, 25 / 255, clean.shape)
    noisy = (clean + noise).astype(np.float32)
    given = [noisy, _level(25 / 255, noisy)] if config.noise_level else noisy
    denoised = _run(build(config), given)
    assert np.var(denoised[:, :, :9]) < 0.5 * np.var(noisy[:, :, :9])
    assert denoised[:, :, 13:15].mean() - denoised[:, :, 9:11].mean() > 0.35


@pytest.mark.parametrize("flux", ["coupled", "rational", "p1"])
def test_told_the_usual_level_it_is_the_blind_network(flux: Any):
    config = Config(channels=1, steps=2, filters=5, size=3, flux=flux)
    blind, told = build(config), build(replace(config, noise_level=True))
    rng = np.random.default_rng(1)
    blind.set_weights([rng.normal(0, 0.3, weight.shape) for weight in blind.get_weights()])
    told.set_weights(blind.get_weights())
    u = _image()
    expected = _run(blind, u)
    np.testing.assert_allclose(_run(told, [u, _level(25 / 255, u)]), expected, atol=1e-5)
    # Noise of twice the level in an image of twice the range is the same image.
    doubled = _run(told, [2 * u, _level(50 / 255, u)])
    np.testing.assert_allclose(doubled, 2 * expected, atol=1e-5)


def test_told_of_no_noise_it_is_finite():
    network = build(Config(channels=1, steps=2, filters=5, size=3, noise_level=True))
    u = _image()
    none, least = (_run(network, [u, _level(sigma, u)]) for sigma in (0.0, 1 / 255))
    assert np.isfinite(none).all()
    np.testing.assert_array_equal(none, least)


@pytest.mark.parametrize(("steps", "size", "radius"), [(5, 5, 20), (5, 7, 30), (2, 3, 4)])
def test_the_radius_by_hand(steps: int, size: int, radius: int):
    assert Config(steps=steps, size=size).radius == radius


@pytest.mark.parametrize(
    "values",
    [
        {"channels": 0},
        {"steps": 0},
        {"filters": 0},
        {"size": 4},
        {"flux": "linear"},
        {"terms": 0},
        {"flux": "p1", "pieces": 0},
        {"contrast": 0.0},
    ],
    ids=str,
)
def test_an_impossible_diffusion_is_refused(values: dict):
    with pytest.raises(ModelError):
        Config(**values)
