from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import border_unet, get_parts
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.perona_malik import PRESETS, Config, build


def _find_layer(network: keras.Model, name: str) -> Any:
    """The layer of this name, in whichever part of the network."""
    return next(layer for layer in find_layers(network) if layer.name == name)


def _image(height: int = 16, width: int = 24, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((1, height, width, channels), np.float32)


def _numpy(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _count(network: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def _diffuse(
    noisy: np.ndarray, contrast: float | np.ndarray, function: str, steps: int = 10
) -> np.ndarray:
    """Perona and Malik's scheme as they write it: the four neighbors of each pixel."""
    u = noisy.astype(np.float64)
    for _ in range(steps):
        padded = np.pad(u, ((0, 0), (1, 1), (1, 1), (0, 0)), "edge")
        neighbors = [
            padded[:, :-2, 1:-1],
            padded[:, 2:, 1:-1],
            padded[:, 1:-1, :-2],
            padded[:, 1:-1, 2:],
        ]
        change = np.zeros_like(u)
        for neighbor in neighbors:
            ratio = ((neighbor - u) / contrast) ** 2
            g = np.exp(-ratio) if function == "exponential" else 1 / (1 + ratio)
            change += g * (neighbor - u)
        u = u + 0.2 * change
    return u


@pytest.mark.parametrize(
    ("preset", "function"), [("classical", "exponential"), ("classical_rational", "rational")]
)
def test_the_classical_network_is_perona_and_maliks_scheme(preset: str, function: str):
    noisy = _image(17, 23)
    expected = _diffuse(noisy, 25 / 255, function)
    assert np.abs(expected - noisy).max() > 0.05
    np.testing.assert_allclose(_numpy(build(PRESETS[preset])(noisy)), expected, atol=1e-5)


@pytest.mark.parametrize("preset", ["global", "image", "image_rational", "pixel"])
def test_training_starts_from_the_classical_network(preset: str):
    config = PRESETS[preset]
    expected = _numpy(build(replace(config, scope="fixed"))(_image()))
    np.testing.assert_allclose(_numpy(build(config)(_image())), expected, atol=1e-5)


def test_a_fixed_contrast_can_be_assigned_and_is_saved(tmp_path: Path):
    network = build(PRESETS["classical"])
    network.get_layer("contrast").values.assign([0.3])
    expected = _diffuse(_image(), 0.3, "exponential")
    np.testing.assert_allclose(_numpy(network(_image())), expected, atol=1e-5)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(_numpy(loaded(_image())), _numpy(network(_image())))


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        ({"scope": "fixed"}, 0),
        ({"scope": "global"}, 1),
        ({"scope": "global", "border": True}, 2),
        ({"scope": "global", "shared": False}, 10),
        ({"scope": "global", "reaction": True, "learn_tau": True}, 3),
        ({"scope": "global", "reaction": True, "learn_tau": True, "shared": False}, 30),
        ({"scope": "global", "noise_level": True}, 3),
        ({"scope": "image"}, 23_761),
        ({"scope": "image", "channels": 1}, 23_473),
        # The lambda layer, of the formula in its docstring, and a 1x1 convolution.
        ({"scope": "pixel"}, 48 + 32 + 24 + 12 + 8 + 8 * 49 + 9),
        # One more number of 64 features and a bias.
        ({"scope": "image", "border": True}, 23_761 + 65),
        # The level as one more channel, epsilon and kappa.
        ({"scope": "image", "noise_level": True}, 23_761 + 9 * 16 + 2),
    ],
    ids=str,
)
def test_the_trainable_weights_are_as_many_as_counted(values: dict, weights: int):
    assert _count(build(Config(**values))) == weights


def _with_border(config: Config, probability: float) -> keras.Model:
    """A network whose classifier says the same everywhere."""
    network = build(config)
    last = _find_layer(network, "border").get_layer("border")
    kernel, _ = last.get_weights()
    last.set_weights([0 * kernel, np.array([np.log(probability / (1 - probability))])])
    return network


@pytest.mark.parametrize("contrasts", [(0.05, 0.4), (0.4, 0.05)])
def test_borders_have_the_smaller_contrast(contrasts: tuple[float, float]):
    config = Config(scope="fixed", border=True, border_contrast=contrasts[0], contrast=contrasts[1])
    for probability, contrast in ((0.9, 0.05), (0.1, 0.4)):
        network = _with_border(config, probability)
        expected = _diffuse(_image(), contrast, "exponential")
        np.testing.assert_allclose(_numpy(network(_image())), expected, atol=1e-5)


def test_contrasts_are_mixed_in_training_or_if_asked_for():
    config = Config(scope="fixed", border=True, border_contrast=0.05, contrast=0.4)
    expected = _diffuse(_image(), 0.75 * 0.05 + 0.25 * 0.4, "exponential")
    network = _with_border(config, 0.75)
    np.testing.assert_allclose(_numpy(network(_image(), training=True)), expected, atol=1e-5)
    network = _with_border(replace(config, hard_border=False), 0.75)
    np.testing.assert_allclose(_numpy(network(_image())), expected, atol=1e-5)


def test_a_trained_classifier_can_be_loaded_and_stays_as_it_is():
    classifier = border_unet.build(border_unet.Config())
    rng = np.random.default_rng(1)
    classifier.set_weights([w + rng.random(w.shape) / 10 for w in classifier.get_weights()])
    network = build(PRESETS["border"])
    inside = _find_layer(network, "border")
    inside.set_weights(classifier.get_weights())
    np.testing.assert_array_equal(_numpy(inside(_image())), _numpy(classifier(_image())))
    network(_image(), training=True)
    for kept, weight in zip(classifier.get_weights(), inside.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, kept)


def test_more_noise_gets_more_steps():
    network = build(replace(PRESETS["noise_aware"], scope="fixed"))
    changes = []
    for level in (0.01, 0.05, 0.1, 0.5):
        levels = np.full((1, 16, 24, 1), level, np.float32)
        changes.append(np.abs(_numpy(network([_image(), levels])) - _image()).mean())
    assert (np.diff(changes) > 1e-4).all()
    expected = np.abs(_diffuse(_image(), 25 / 255, "exponential", steps=20) - _image()).mean()
    assert changes[-1] == pytest.approx(expected, rel=0.01)


def test_steps_of_their_own_have_contrasts_of_their_own():
    network = build(Config(scope="fixed", shared=False, steps=2))
    network.get_layer("contrast").values.assign([0.1, 0.5])
    once = _diffuse(_image(), 0.1, "exponential", steps=1)
    expected = _diffuse(once, 0.5, "exponential", steps=1)
    np.testing.assert_allclose(_numpy(network(_image())), expected, atol=1e-5)


def test_a_reaction_keeps_the_result_near_the_noisy_image():
    plain = _numpy(build(Config(scope="fixed"))(_image()))
    pulled = _numpy(build(Config(scope="fixed", reaction=True))(_image()))
    assert np.abs(pulled - _image()).mean() < np.abs(plain - _image()).mean()


@pytest.mark.parametrize(
    "config",
    [
        Config(channels=1, steps=3, function="rational"),
        Config(channels=1, steps=3, function="rational", border=True, hard_border=False),
        Config(channels=1, steps=3, argument="norm", noise_level=True, reaction=True),
        Config(channels=1, steps=3, function="rational", scope="pixel"),
    ],
    ids=["image", "border", "norm", "pixel"],
)
def test_a_tile_with_the_context_of_the_whole_equals_it(config: Config):
    network = build(config)
    rng = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign(weight + rng.random(weight.shape) / 10)
    side = 4 * (config.radius // 4 + 2)
    noisy = [_image(side + 16, 2 * side + 16, 1)]
    if config.noise_level:
        height, width = noisy[0].shape[1:3]
        noisy.append(0.2 * _image(height, width, 1))
    parts = get_parts(network)
    assert parts.context is not None
    assert parts.tile.inputs[-1].name == "contrast_context"
    context = parts.context(noisy if config.noise_level else noisy[0])["contrast_context"]
    # Cut off on the left, where the radius ends as a whole cell of the stride.
    start = 4 * (-(-config.radius // 4))
    cut = [part[:, :, side - start :] for part in noisy]
    whole = _numpy(network(noisy if config.noise_level else noisy[0]))
    tile = _numpy(parts.tile([*cut, _numpy(context)]))
    np.testing.assert_allclose(tile[:, :, start:], whole[:, :, side:], atol=1e-6)
    assert np.abs(tile - whole[:, :, side - start :]).max() > 1e-5


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_denoises_noise(preset: str):
    config = PRESETS[preset]
    clean = np.full((1, 16, 16, 3), 0.5, np.float32)
    clean[:, :, 8:] = 0.8
    noisy = (clean + np.random.default_rng(0).normal(0, 0.03, clean.shape)).astype(np.float32)
    level = np.full((1, 16, 16, 1), 0.05, np.float32)
    denoised = _numpy(build(config)([noisy, level] if config.noise_level else noisy))
    assert np.square(denoised - clean).mean() < 0.6 * np.square(noisy - clean).mean()


def test_stride_and_radius():
    assert (Config().stride, Config().radius) == (1, 10)
    bordered = Config(border=True, steps=4)
    assert (bordered.stride, bordered.radius) == (4, 4 + 23)


@pytest.mark.parametrize(
    "values",
    [
        {"channels": 0},
        {"steps": 0},
        {"tau": 0.0},
        {"tau": 0.3},
        {"tau": 0.25, "reaction": True},
        {"tau": 0.25, "learn_tau": True},
        {"function": "linear"},
        {"argument": "sum"},
        {"scope": "photo"},
        {"scope": "fixed", "contrast": 0.0},
        {"contrast": 1 / 255},
        {"border_contrast": 0.0},
    ],
    ids=str,
)
def test_an_impossible_diffusion_is_refused(values: dict):
    with pytest.raises(ModelError):
        Config(**values)
