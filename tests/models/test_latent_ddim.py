from __future__ import annotations

import itertools
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import autoencoder, poisson_autoencoder
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.ddim import PREDICTOR, SPREAD
from kerasdenoise.models.latent_ddim import PRESETS, Config, build

RNG = np.random.default_rng(0)


def _small(**changes: Any) -> Config:
    settings = {"autoencoder": "autoencoder/tiny", "widths": (6,), "blocks": (1,), **changes}
    return Config(**settings)


def _randomize(network: keras.Model, size: float = 1.0) -> None:
    for weight in network.trainable_variables:
        fan_in = max(1, int(np.prod(weight.shape[:-1])))
        weight.assign(size * RNG.normal(0, fan_in**-0.5, weight.shape))


def _parts(network: keras.Model) -> dict[str, Any]:
    return {each.name: each for each in find_layers(network) if isinstance(each, keras.Model)}


def _numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


def test_the_chain_runs_on_codes_between_the_halves_of_the_autoencoder():
    network = build(_small(steps=2, noise_level=True))
    _randomize(network)
    parts = _parts(network)
    noisy = RNG.random((1, 8, 16, 3), np.float32)
    u = _numpy(parts["encoder"](noisy))
    assert u.shape == (1, 2, 4, 4)
    angle = np.arctan(0.3 / SPREAD)
    levels = [0.3, SPREAD * np.tan(angle / 2), 0.0]
    for level, later in itertools.pairwise(levels):
        clean = _numpy(parts[PREDICTOR]([u, np.full((1, 2, 4, 1), level, np.float32)]))
        u = clean + later / level * (u - clean)
    expected = _numpy(parts["decoder"](u))
    given = [noisy, np.full((1, 8, 16, 1), 0.3, np.float32)]
    np.testing.assert_allclose(_numpy(network(given)), expected, atol=1e-4)


def test_the_autoencoder_is_not_trained():
    network = build(_small())
    frozen = {weight.path for weight in network.non_trainable_variables}
    parts = _parts(network)
    assert {
        weight.path for part in ("encoder", "decoder") for weight in parts[part].weights
    } <= frozen
    assert parts[PREDICTOR].trainable_variables
    assert parts["noise_level"].trainable_variables


@pytest.mark.parametrize("size", [0.1, 1.0, 50.0])
def test_heat_keeps_each_channel_of_the_code_in_its_range_and_its_mean(size: float):
    network = build(_small(cleaner="heat", heat_steps=6, noise_level=True))
    predictor = _parts(network)[PREDICTOR]
    _randomize(predictor, size)
    code = RNG.normal(size=(2, 8, 8, 4)).astype(np.float32)
    clean = _numpy(predictor([code, np.full((2, 8, 8, 1), 0.2, np.float32)]))
    assert (clean.max((1, 2)) <= code.max((1, 2)) + 1e-5).all()
    assert (clean.min((1, 2)) >= code.min((1, 2)) - 1e-5).all()
    np.testing.assert_allclose(clean.mean((1, 2)), code.mean((1, 2)), atol=1e-5)


def test_each_entry_of_a_code_has_a_coefficient_of_its_own():
    network = build(_small(cleaner="heat", heat_steps=1, noise_level=True))
    predictor = _parts(network)[PREDICTOR]
    code = np.repeat(RNG.normal(size=(1, 8, 8, 1)), 4, axis=3).astype(np.float32)
    given = [code, np.full((1, 8, 8, 1), 0.2, np.float32)]
    same = _numpy(predictor(given))
    np.testing.assert_allclose(same, same[..., :1] * np.ones(4), atol=1e-6)  # 1/2 at first
    _randomize(predictor)
    other = _numpy(predictor(given))
    assert np.abs(other - other[..., :1]).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "module"),
    [("autoencoder/small", autoencoder), ("poisson_autoencoder/32x32", poisson_autoencoder)],
)
def test_it_takes_either_autoencoder_as_it_is_built_alone(name: str, module: Any):
    parts = _parts(build(_small(autoencoder=name)))
    alone = module.build(module.PRESETS[name.partition("/")[2]])
    for part in ("encoder", "decoder"):
        parts[part].set_weights(alone.get_layer(part).get_weights())
    image = RNG.random((1, 16, 16, 3), np.float32)
    again = parts["decoder"](parts["encoder"](image))
    np.testing.assert_allclose(_numpy(again), _numpy(alone(image)), atol=1e-5)


def test_the_code_of_the_autoencoder_has_unit_variance_and_no_mean_in_training():
    network = autoencoder.build(autoencoder.PRESETS["tiny"])
    code = _numpy(
        network.get_layer("encoder")(RNG.random((4, 32, 32, 3), np.float32), training=True)
    )
    assert code.shape == (4, 8, 8, 4)
    np.testing.assert_allclose(code.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(code.std((0, 1, 2)), 1, atol=0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"autoencoder": "autoencoder/huge"}, r"autoencoder 'autoencoder/huge'.*autoencoder/small"),
        ({"autoencoder": "unet/tiny"}, "poisson_autoencoder/32x32"),
        ({"cleaner": "wind"}, "cleaner 'wind'.*unet, heat"),
        ({"steps": 0}, "below 1"),
        ({"heat_steps": 0}, "below 1"),
        ({"blocks": (1, 1)}, "blocks"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any], message: str):
    with pytest.raises(ModelError, match=message):
        _small(**changes)


@pytest.mark.parametrize("changes", [{"widths": (4,)}, {"code": 0}, {"blocks": 0}])
def test_an_impossible_autoencoder_is_refused(changes: dict[str, Any]):
    with pytest.raises(ModelError):
        autoencoder.Config(**changes)


def test_all_presets_can_be_built():
    for config in PRESETS.values():
        assert build(config).count_params() > 0
