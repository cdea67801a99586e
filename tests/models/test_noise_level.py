from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.layers import NoiseLevel
from kerasdenoise.models import split_noise_level
from kerasdenoise.models._noise_level import CELL, RADIUS, estimate_noise_level
from kerasdenoise.models.unet import PRESETS, Config, build

NOISY = np.random.default_rng(0).random((2, 32, 48, 3), np.float32)


def _network(seed: int = 1) -> keras.Model:
    network = build(Config(widths=(4, 8), blocks=(1, 1), estimates_level=True))
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        fan_in = np.prod(weight.shape[:-1])
        weight.assign(rng.normal(0, fan_in**-0.5, weight.shape))
    return network


def _halves(network: keras.Model) -> Any:
    halves = split_noise_level(network)
    assert halves is not None
    return halves


def _numpy(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def test_the_level_is_one_number_for_each_cell():
    level = _numpy(_halves(_network()).estimator(NOISY))
    assert level.shape == (2, 32, 48, 1)
    assert level.min() >= 0
    cells = level[:, ::CELL, ::CELL]
    np.testing.assert_array_equal(level, cells.repeat(CELL, axis=1).repeat(CELL, axis=2))
    assert len(np.unique(cells)) == cells.size


@pytest.mark.parametrize("factor", [0.3, 2.0])
def test_twice_the_image_has_twice_the_level(factor: float):
    estimator = _halves(_network()).estimator
    expected = factor * _numpy(estimator(NOISY))
    np.testing.assert_allclose(estimator(factor * NOISY), expected, rtol=1e-4)


@pytest.mark.parametrize("factor", [0.3, 7.0])
def test_scaling_image_and_level_scales_what_the_told_half_makes(factor: float):
    told = _halves(_network()).told
    level = np.random.default_rng(2).random((2, 32, 48, 1), np.float32)
    expected = factor * _numpy(told([NOISY, level]))
    scaled = told([factor * NOISY, factor * level])
    np.testing.assert_allclose(scaled, expected, rtol=1e-3, atol=1e-5 * factor)


def test_the_radius_of_the_estimate_is_honest():
    estimator = _halves(_network()).estimator
    side = 2 * CELL * (RADIUS // CELL + 1) + CELL
    noisy = np.random.default_rng(3).random((1, side, side, 3), np.float32)
    before, reach = _numpy(estimator(noisy)), 0
    for place in range((side - CELL) // 2, (side + CELL) // 2):
        changed = noisy.copy()
        changed[0, place, place] += 0.5
        rows, columns = np.nonzero((_numpy(estimator(changed)) != before)[0, ..., 0])
        reach = max([reach, *abs(rows - place), *abs(columns - place)])
    assert RADIUS - CELL <= reach <= RADIUS


def test_the_halves_together_are_the_network():
    network = _network()
    halves = _halves(network)
    level = halves.estimator(NOISY)
    np.testing.assert_allclose(
        halves.told([NOISY, _numpy(level)]), _numpy(network(NOISY)), atol=1e-6
    )
    assert {id(w) for half in halves for w in half.weights} == {id(w) for w in network.weights}


def test_a_network_that_was_cut_can_be_saved(tmp_path: Path):
    network = _network()
    for _ in range(2):
        _halves(network)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded(NOISY), _numpy(network(NOISY)))
    np.testing.assert_array_equal(
        _halves(loaded).estimator(NOISY), _numpy(_halves(network).estimator(NOISY))
    )


def test_another_network_is_not_cut():
    assert split_noise_level(build(PRESETS["tiny"])) is None


def test_a_network_with_two_levels_is_refused():
    noisy = keras.Input((None, None, 3), name="noisy")
    marked = [NoiseLevel(name=name)(noisy[..., :1]) for name in ("first", "second")]
    network = keras.Model(noisy, keras.layers.Add()([noisy, *marked]), name="twice")
    with pytest.raises(ModelError, match=r"twice: .*noise level.*several"):
        split_noise_level(network)


def test_a_level_inside_of_another_network_is_refused():
    noisy = keras.Input((None, None, 3), name="noisy")
    inner = keras.Model(noisy, estimate_noise_level(noisy), name="inner")
    outer = keras.Model(noisy, keras.layers.Subtract()([noisy, inner(noisy)]), name="outer")
    with pytest.raises(ModelError, match=r"outer: .*noise level .*another"):
        split_noise_level(outer)


def test_a_network_that_is_told_the_level_does_not_estimate_it():
    with pytest.raises(ModelError, match=r"told the noise level.*estimates"):
        Config(noise_level=True, estimates_level=True)
