from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.blend import blend, check_strength

NOISY = np.array([-0.3, 0.1, 1.7], np.float32)
DENOISED = np.array([0.2, 0.7, 1.1], np.float32)


@pytest.mark.parametrize(("strength", "expected"), [(0.0, NOISY), (1.0, DENOISED)])
def test_the_ends_are_exact(strength: float, expected: np.ndarray):
    np.testing.assert_array_equal(blend(NOISY, DENOISED, strength), expected)


def test_between_is_linear_and_not_clipped():
    blended = blend(NOISY, DENOISED, 0.25)
    assert blended.dtype == np.float32
    np.testing.assert_allclose(blended, 0.75 * NOISY + 0.25 * DENOISED, atol=1e-6)
    assert blended.min() < 0
    assert blended.max() > 1


@pytest.mark.parametrize("strength", [2, -0.01, float("nan"), float("inf")])
def test_a_strength_outside_the_range_is_refused(strength: float):
    with pytest.raises(UsageError, match=r"strength .*not between 0 and 1"):
        check_strength(strength)
