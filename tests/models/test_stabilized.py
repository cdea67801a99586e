from __future__ import annotations

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_architecture, get_parts, make_config
from kerasdenoise.models.stabilized import DENOISER, PRESETS, Config, build

TOLD = {"preset": "tiny", "noise_level": True}
NOISY = np.random.default_rng(0).random((2, 16, 24, 3), np.float32)


def randomize(network: keras.Model) -> None:
    rng = np.random.default_rng(1)
    network.set_weights([rng.normal(0, 0.2, w.shape) for w in network.get_weights()])


def test_without_a_curve_it_is_its_denoiser():
    config = Config(denoiser=TOLD, level=0.1)
    network = build(config)
    inner = get_architecture("unet").build(config.inner)
    randomize(inner)
    network.get_layer(DENOISER).set_weights(inner.get_weights())
    expected = inner([NOISY, np.full((2, 16, 24, 1), 0.1, np.float32)])
    np.testing.assert_allclose(network(NOISY), expected, atol=1e-4)


def test_a_denoiser_that_takes_no_level_is_told_none():
    network = build(Config(denoiser={"preset": "tiny"}))
    inner = network.get_layer(DENOISER)
    randomize(inner)
    np.testing.assert_allclose(network(NOISY), inner(NOISY), atol=1e-4)


def test_the_level_is_the_same_behind_any_curve():
    config = Config(denoiser=TOLD, level=0.1, knots=9, estimates_level=True)
    parts = get_parts(build(config))
    assert parts.noise_level is not None
    curve = parts.noise_level.get_layer("curve")
    curve.log_slopes.assign(np.linspace(1, -1, 8))
    # What the noise is in front of the curve goes by the mean of the slopes' inverse squares.
    slopes = keras.ops.convert_to_numpy(curve(NOISY, mode="slope"))
    expected = 0.1 * np.sqrt(np.square(1 / slopes).mean(axis=-1, keepdims=True))
    level = keras.ops.convert_to_numpy(parts.noise_level(NOISY))
    np.testing.assert_allclose(level, expected, rtol=1e-5)
    blind = build(Config(denoiser=TOLD, level=0.1, knots=9))
    randomize(blind)
    blind.get_layer("curve").set_weights(curve.get_weights())
    parts.tile.get_layer(DENOISER).set_weights(blind.get_layer(DENOISER).get_weights())
    parts.tile.get_layer("unbias").set_weights(blind.get_layer("unbias").get_weights())
    np.testing.assert_allclose(parts.tile([NOISY, level]), blind(NOISY), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"denoiser": {"preset": "tiny"}, "noise_level": True}, "not told the level"),
        ({"denoiser": {"preset": "tiny"}, "estimates_level": True}, "not told the level"),
        ({"denoiser": {"preset": "tiny", "estimates_level": True}}, "noise_level = true"),
        ({"denoiser": TOLD, "noise_level": True, "estimates_level": True}, "choose one"),
        ({"denoiser": TOLD, "level": 0.0}, "not above 0"),
        ({"architecture": "unett"}, "did you mean 'unet'"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict, message: str):
    with pytest.raises(ModelError, match=message):
        Config(**options)


def test_a_denoiser_that_needs_the_whole_image_is_refused():
    config = Config(architecture="lambda_net", denoiser={"preset": "tiny"})
    with pytest.raises(ModelError, match=r"lambda_net.*whole image"):
        build(config)


def test_settings_survive_a_recipe():
    values = {"architecture": "unet", "denoiser": TOLD, "low": 0, "high": 2.5}
    made = make_config("stabilized", values)
    assert made == Config(denoiser=TOLD, low=0.0, high=2.5)
    assert (made.stride, made.radius) == (PRESETS["tiny"].stride, PRESETS["tiny"].radius)
