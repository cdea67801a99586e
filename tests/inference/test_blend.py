from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.blend import blend, check_strength
from kerasdenoise.zoo import ModelInfo

NOISY = np.array([-0.3, 0.1, 1.7], np.float32)
DENOISED = np.array([0.2, 0.7, 1.1], np.float32)


def _info(**level: bool) -> ModelInfo:
    return ModelInfo("any", Path("any"), "unet", "Nothing", 3, 8, 30, **level)


@pytest.mark.parametrize(("strength", "expected"), [(0.0, NOISY), (1.0, DENOISED), (1.5, DENOISED)])
def test_the_ends_are_exact(strength: float, expected: np.ndarray):
    np.testing.assert_array_equal(blend(NOISY, DENOISED, strength), expected)


def test_between_is_linear_and_not_clipped():
    blended = blend(NOISY, DENOISED, 0.25)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, 0.75 * NOISY + 0.25 * DENOISED, atol=1e-6)
    assert blended.min() < 0
    assert blended.max() > 1


@pytest.mark.parametrize("strength", [2.01, -0.01, float("nan"), float("inf")])
def test_a_strength_outside_the_range_is_refused(strength: float):
    with pytest.raises(UsageError, match=r"strength .*not between 0 and 2"):
        check_strength(strength, _info(estimates_level=True))


@pytest.mark.parametrize("level", ["takes_noise_level", "estimates_level"])
def test_more_than_all_is_for_models_that_go_by_a_noise_level(level: str):
    assert check_strength(2, _info(**{level: True})) == 2.0
    assert check_strength(1, _info()) == 1.0
    with pytest.raises(UsageError, match=r"strength 1\.1: the model any cannot be told that there"):
        check_strength(1.1, _info())
