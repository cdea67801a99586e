from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import ModelError
from kerasdenoise.models import get_parts
from kerasdenoise.models._parts import list_parts
from kerasdenoise.models._primitives import LEVEL_CELL, LEVEL_RADIUS
from kerasdenoise.models.unet import PRESETS, Config, build

NOISY = np.random.default_rng(0).random((2, 32, 48, 3), np.float32)


def _network(seed: int = 1) -> keras.Model:
    network = build(Config(widths=(4, 8), blocks=(1, 1), estimates_level=True))
    rng = np.random.default_rng(seed)
    for weight in network.weights:
        fan_in = np.prod(weight.shape[:-1])
        weight.assign(rng.normal(0, fan_in**-0.5, weight.shape))
    return network


def _parts(network: keras.Model) -> Any:
    parts = get_parts(network)
    assert parts.noise_level is not None
    return parts


def _numpy(tensor: Any) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def test_the_level_is_one_number_for_each_cell():
    level = _numpy(_parts(_network()).noise_level(NOISY))
    assert level.shape == (2, 32, 48, 1)
    assert level.min() >= 0
    cells = level[:, ::LEVEL_CELL, ::LEVEL_CELL]
    np.testing.assert_array_equal(
        level, cells.repeat(LEVEL_CELL, axis=1).repeat(LEVEL_CELL, axis=2)
    )
    assert len(np.unique(cells)) == cells.size


@pytest.mark.parametrize("factor", [0.3, 2.0])
def test_twice_the_image_has_twice_the_level(factor: float):
    estimator = _parts(_network()).noise_level
    expected = factor * _numpy(estimator(NOISY))
    np.testing.assert_allclose(estimator(factor * NOISY), expected, rtol=1e-4)


@pytest.mark.parametrize("factor", [0.3, 7.0])
def test_scaling_image_and_level_scales_what_the_tile_makes(factor: float):
    tile = _parts(_network()).tile
    level = np.random.default_rng(2).random((2, 32, 48, 1), np.float32)
    expected = factor * _numpy(tile([NOISY, level]))
    scaled = tile([factor * NOISY, factor * level])
    np.testing.assert_allclose(scaled, expected, rtol=1e-3, atol=1e-5 * factor)


def test_the_radius_of_the_estimate_is_honest():
    estimator = _parts(_network()).noise_level
    side = 2 * LEVEL_CELL * (LEVEL_RADIUS // LEVEL_CELL + 1) + LEVEL_CELL
    noisy = np.random.default_rng(3).random((1, side, side, 3), np.float32)
    before, reach = _numpy(estimator(noisy)), 0
    for place in range((side - LEVEL_CELL) // 2, (side + LEVEL_CELL) // 2):
        changed = noisy.copy()
        changed[0, place, place] += 0.5
        rows, columns = np.nonzero((_numpy(estimator(changed)) != before)[0, ..., 0])
        reach = max([reach, *abs(rows - place), *abs(columns - place)])
    assert LEVEL_RADIUS - LEVEL_CELL <= reach <= LEVEL_RADIUS


def test_the_parts_together_are_the_network():
    network = _network()
    parts = _parts(network)
    level = parts.noise_level(NOISY)
    np.testing.assert_allclose(
        parts.tile([NOISY, _numpy(level)]), _numpy(network(NOISY)), atol=1e-6
    )
    assert {id(w) for part in list_parts(network) for w in part.weights} == {
        id(w) for w in network.weights
    }


def test_a_saved_network_has_its_parts(tmp_path: Path):
    network = _network()
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(loaded(NOISY), _numpy(network(NOISY)))
    np.testing.assert_array_equal(
        _parts(loaded).noise_level(NOISY), _numpy(_parts(network).noise_level(NOISY))
    )


def test_another_network_has_no_parts():
    network = build(PRESETS["tiny"])
    assert get_parts(network) == (None, None, network)


def test_a_network_that_is_told_the_level_does_not_estimate_it():
    with pytest.raises(ModelError, match=r"told the noise level.*estimates"):
        Config(noise_level=True, estimates_level=True)
