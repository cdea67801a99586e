from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.inference.settings import HIGHEST_SEED
from kerasdenoise.layers import ddim_step
from kerasdenoise.layers.ddim_step import ContentNoise
from kerasdenoise.models import get_parts, unet
from kerasdenoise.models._parts import find_detail, run_parts
from kerasdenoise.models.ddim import PREDICTOR
from kerasdenoise.models.detail_ddim import PRESETS, Config, build, scale_of

RNG = np.random.default_rng(0)


def _small(**changes: Any) -> Config:
    return Config(**{"mean": "tiny", "widths": (6,), "blocks": (1,), **changes})


def _randomize(network: keras.Model) -> None:
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(RNG.normal(0, fan_in**-0.5, weight.shape))


def _numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def _level(noisy: np.ndarray, level: float = 0.2) -> np.ndarray:
    return np.full((*noisy.shape[:3], 1), level, np.float32)


def test_only_what_gives_detail_is_trained():
    network = build(_small())
    detail = find_detail(network)
    assert {w.path for w in network.trainable_variables} == {
        w.path for w in detail.get_layer(PREDICTOR).weights
    }
    assert get_parts(network).noise_level.weights
    assert get_parts(network).tile.weights


def test_it_is_the_unet_plus_detail():
    network = build(_small())
    _randomize(network)
    mean = unet.build(unet.Config(widths=(4, 8), blocks=(1, 1), estimates_level=True))
    for part in ("noise_level", "tile"):
        mean.get_layer(part).set_weights(network.get_layer(part).get_weights())
    noisy = RNG.random((1, 16, 24, 3), np.float32)
    parts = dict(zip(("level", "tile", "detail"), run_parts(network, noisy), strict=True))
    np.testing.assert_array_equal(_numpy(parts["detail"][1][2]), _numpy(mean(noisy)))
    detail = _numpy(parts["detail"][0](parts["detail"][1]))
    assert np.abs(detail).max() > 1e-3
    np.testing.assert_allclose(_numpy(network(noisy)), _numpy(mean(noisy)) + detail, atol=1e-6)


def test_steps_turn_noise_into_detail_by_equal_angles():
    config = _small(steps=3, noise_level=True)
    network = build(config)
    _randomize(network)
    detail: Any = find_detail(network)
    predictor = detail.get_layer(PREDICTOR)
    noisy, mean = RNG.random((2, 1, 16, 16, 3), np.float32)
    level, seed = _level(noisy), np.full((1, 1, 1, 1), 5, np.float32)
    u = _numpy(ContentNoise(3, 5)(noisy))
    for angle in (np.pi / 2, np.pi / 3, np.pi / 6):
        velocity = _numpy(predictor([u, noisy, level, mean, np.full_like(level, angle)]))
        # What the network takes for detail and for noise, mixed anew at the next angle.
        clean = np.cos(angle) * u - np.sin(angle) * velocity
        noise = np.sin(angle) * u + np.cos(angle) * velocity
        u = np.cos(angle - np.pi / 6) * clean + np.sin(angle - np.pi / 6) * noise
    expected = _numpy(scale_of(level)) * u
    result = _numpy(detail([noisy, level, mean, seed]))
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_seeds_give_other_detail_and_no_noise_gives_none():
    network = build(_small(noise_level=True))
    _randomize(network)
    detail: Any = find_detail(network)
    noisy = RNG.random((1, 16, 16, 3), np.float32)

    def draw(seed: int, level: float = 0.2) -> np.ndarray:
        given = np.full((1, 1, 1, 1), seed, np.float32)
        return _numpy(detail([noisy, _level(noisy, level), noisy, given]))

    np.testing.assert_array_equal(draw(1), draw(1))
    assert np.abs(draw(1) - draw(2)).std() > 1e-3
    np.testing.assert_array_equal(draw(1, 0.0), 0)


def test_the_seed_of_the_settings_is_that_of_the_whole_network():
    networks = [build(_small(noise_level=True, seed=seed)) for seed in (0, 9)]
    networks[1].set_weights(networks[0].get_weights())
    noisy = RNG.random((1, 16, 16, 3), np.float32)
    results = [_numpy(each([noisy, _level(noisy)])) for each in networks]
    assert np.abs(results[0] - results[1]).std() > 1e-3


def test_settings_and_layers_know_the_same_seeds():
    assert ddim_step.HIGHEST_SEED == HIGHEST_SEED


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": "huge"}, "mean 'huge'.*photo_large"),
        ({"steps": 0}, "below 1"),
        ({"seed": 4091}, "seed 4091"),
        ({"blocks": (1, 1)}, "blocks"),
        ({"widths": (), "blocks": ()}, "widths"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ModelError, match=message):
        _small(**changes)


def test_photo_has_the_shape_that_its_weights_are_for():
    config = PRESETS["photo"]
    assert (config.mean_radius, config.stride) == (120, 8)
