from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_parts
from kerasdenoise.models._parts import find_layers
from kerasdenoise.models.p1_diffusion import PRESETS, Config, build


def _find_layer(network: keras.Model, name: str) -> Any:
    """The layer of this name, in whichever part of the network."""
    return next(layer for layer in find_layers(network) if layer.name == name)


def _image(height: int = 16, width: int = 24, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((1, height, width, channels), np.float32)


def _numpy(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def _count(network: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)


def _square(u: np.ndarray) -> np.ndarray:
    square = np.zeros(u.shape[:3])
    square[:, :, :-1] += (np.diff(u, axis=2) ** 2).sum(-1)
    square[:, :-1] += (np.diff(u, axis=1) ** 2).sum(-1)
    return square


@pytest.mark.parametrize("recompute", [True, False])
@pytest.mark.parametrize("continuous", [True, False])
def test_without_a_stem_it_starts_near_perona_and_maliks_scheme(recompute: bool, continuous: bool):
    config = replace(
        PRESETS["pointwise"], recompute=recompute, continuous=continuous, pieces=60, steps=5
    )
    u = _image().astype(np.float64)
    contrast = 0.3 * np.sqrt(_square(u).max())
    g = None
    for _ in range(5):
        if g is None or recompute:
            g = np.exp(-_square(u) / contrast**2)[..., np.newaxis]
        flow = np.diff(u, axis=2) * g[:, :, :-1], np.diff(u, axis=1) * g[:, :-1]
        along = np.pad(flow[0], ((0, 0), (0, 0), (1, 1), (0, 0)))
        down = np.pad(flow[1], ((0, 0), (1, 1), (0, 0), (0, 0)))
        u = u + 0.2 * (np.diff(along, axis=2) + np.diff(down, axis=1))
    assert np.abs(u - _image()).max() > 0.2
    np.testing.assert_allclose(_numpy(build(config)(_image())), u, atol=0.02)


@pytest.mark.parametrize(
    ("values", "weights"),
    [
        # 12 channels of differences, 8 between; 21 values of 64 features and a bias each.
        ({}, (9 * 12 * 8 + 8 + 9 * 8 + 1) + 23_696 + 21 * 65),
        # A lambda layer of 3 channels, 8 keys, 2 heads of 4 values, a window of 7.
        ({"values": "pixel", "stem": 0}, 516 + 21 * 9),
        ({"values": "global", "stem": 0}, 21),
        ({"values": "global", "stem": 0, "border": True}, 42),
        ({"values": "global", "stem": 0, "shared": False}, 210),
        ({"values": "global", "stem": 0, "continuous": False, "pieces": 4}, 8),
        ({"values": "global", "stem": 1, "channels": 1}, 21 + 9 * 4 + 1),
        ({"values": "global", "stem": 0, "noise_level": True}, 23),
    ],
    ids=str,
)
def test_the_trainable_weights_are_as_many_as_counted(values: dict, weights: int):
    assert _count(build(Config(**values))) == weights


def test_backward_diffusion_is_bounded():
    network = build(Config(values="global", steps=10))
    thetas = _find_layer(network, "thetas").values
    centered = _image() - 0.5
    norms = {}
    for value in (-60.0, 60.0):
        thetas.assign(np.full(thetas.shape, value))
        norms[value] = np.linalg.norm(_numpy(network(centered)))
    assert np.linalg.norm(centered) < norms[-60.0]
    assert norms[-60.0] <= 1.16**10 * np.linalg.norm(centered)
    assert norms[60.0] < 0.5 * np.linalg.norm(centered)


def test_without_backward_diffusion_the_range_is_kept():
    network = build(Config(backward=0.0))
    rng = np.random.default_rng(1)
    for weight in network.trainable_weights:
        weight.assign(weight + rng.normal(0, 0.3, weight.shape))
    denoised = _numpy(network(_image()))
    assert denoised.max() <= _image().max() + 1e-6
    assert denoised.min() >= _image().min() - 1e-6
    np.testing.assert_allclose(denoised.mean((1, 2)), _image().mean((1, 2)), atol=1e-5)


@pytest.mark.parametrize("hard", [True, False])
def test_borders_have_a_function_of_their_own(hard: bool):
    config = Config(values="global", stem=0, border=True, pieces=2, steps=1, hard_border=hard)
    network = build(config)
    last = _find_layer(network, "border").get_layer("border")
    kernel, _ = last.get_weights()
    last.set_weights([0 * kernel, np.log([3.0])])  # a probability of 3/4
    # At borders the coefficient is at its least, elsewhere at its largest.
    _find_layer(network, "thetas").values.assign([-60.0] * 3 + [60.0] * 3)
    share = 1.0 if hard else 0.75
    g = share * -0.1 + (1 - share)
    u = _image()
    along = np.pad(np.diff(u, axis=2), ((0, 0), (0, 0), (1, 1), (0, 0)))
    down = np.pad(np.diff(u, axis=1), ((0, 0), (1, 1), (0, 0), (0, 0)))
    expected = u + 0.2 * g * (np.diff(along, axis=2) + np.diff(down, axis=1))
    np.testing.assert_allclose(_numpy(network(u)), expected, atol=1e-5)


@pytest.mark.parametrize(
    "values",
    [
        {"roughness": 0.01},
        {"roughness": 0.01, "recompute": False},
        {"roughness": 0.01, "shared": False},
        {"roughness": 0.01, "shared": False, "recompute": False},
    ],
    ids=str,
)
def test_the_penalty_counts_each_function_once(values: dict):
    network = build(Config(values="global", stem=0, steps=3, pieces=4, **values))
    thetas = _find_layer(network, "thetas").values
    thetas.assign(np.random.default_rng(0).normal(0, 1, thetas.shape))
    network(_image(), training=True)
    nodes = 1.1 / (1 + np.exp(-_numpy(thetas).reshape(-1, 5))) - 0.1
    expected = 0.01 * (np.diff(nodes, 2) ** 2).sum()
    assert sum(float(loss) for loss in network.losses) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        Config(channels=1, steps=3, stem=2, pieces=5),
        Config(channels=1, steps=3, stem=2, pieces=5, recompute=False),
        Config(channels=1, steps=2, stem=1, pieces=5, border=True, hard_border=False),
        Config(channels=1, steps=3, stem=0, pieces=5, shared=False, noise_level=True),
        Config(channels=1, steps=3, stem=1, pieces=5, values="pixel"),
    ],
    ids=["stem", "once", "border", "level", "pixel"],
)
def test_a_tile_with_the_context_of_the_whole_equals_it(config: Config):
    network = build(config)
    rng = np.random.default_rng(1)
    for weight in network.weights:
        weight.assign(weight + rng.random(weight.shape) / 10)
    start = 4 * (-(-config.radius // 4))
    side = start + 8
    noisy = [_image(24, side + 24, 1)]
    if config.noise_level:
        noisy.append(0.2 * _image(24, side + 24, 1))
    whole_input: Any = noisy if config.noise_level else noisy[0]
    parts = get_parts(network)
    assert parts.context is not None
    context = parts.context(whole_input)
    given = [context[each.name] for each in parts.tile.inputs if each.name.endswith("_context")]
    assert len(given) == 2
    cut = [part[:, :, side - start :] for part in noisy]
    whole = _numpy(network(whole_input))
    tile = _numpy(parts.tile([*cut, *map(_numpy, given)]))
    np.testing.assert_allclose(tile[:, :, start:], whole[:, :, side:], atol=2e-6)
    # The overlap is no larger than it has to be, up to a cell of the stride.
    inside = np.abs(tile - whole[:, :, side - start :]).max((0, 1, 3))
    assert inside[: max(1, start - config.radius + 1)].max() > 1e-6


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_smooths_noise(preset: str):
    keras.utils.set_random_seed(0)
    config = PRESETS[preset]
    clean = np.full((1, 16, 16, 3), 0.5, np.float32)
    clean[:, :, 8:] = 0.9
    noisy = (clean + np.random.default_rng(0).normal(0, 0.03, clean.shape)).astype(np.float32)
    level = np.full((1, 16, 16, 1), 0.05, np.float32)
    denoised = _numpy(build(config)([noisy, level] if config.noise_level else noisy))
    flat = np.s_[:, :, :4]
    assert np.var(denoised[flat]) < 0.6 * np.var(noisy[flat])


@pytest.mark.parametrize(
    ("values", "stride", "radius"),
    [
        ({"stem": 0}, 1, 10),
        ({"stem": 2}, 1, 30),
        ({"stem": 2, "recompute": False}, 1, 12),
        ({"stem": 2, "border": True}, 4, 9 * 3 + 1 + 23),
    ],
    ids=str,
)
def test_stride_and_radius_by_hand(values: dict, stride: int, radius: int):
    assert (Config(**values).stride, Config(**values).radius) == (stride, radius)


@pytest.mark.parametrize(
    "values",
    [
        {"channels": 0},
        {"steps": 0},
        {"tau": 0.3},
        {"pieces": 0},
        {"values": "patch"},
        {"contrast": 0.0},
        {"backward": -0.1},
        {"roughness": -1.0},
        {"stem": 4},
        {"stem": -1},
    ],
    ids=str,
)
def test_an_impossible_diffusion_is_refused(values: dict):
    with pytest.raises(ModelError):
        Config(**values)
