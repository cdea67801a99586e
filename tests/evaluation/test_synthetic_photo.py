from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.evaluation.noisy_sets import SIGMA
from kerasdenoise.evaluation.synthetic_photo import make_noisy


def test_a_photo_is_made_of_noise_of_that_strength():
    pixels = make_noisy(130, 70)
    assert pixels.shape == (130, 70, 3)
    assert pixels.dtype == np.uint8
    # Neighbors differ by the noise of both, and by little else.
    differences = np.diff(pixels.astype(np.float64), axis=0)
    assert np.std(differences) == pytest.approx(255 * SIGMA * np.sqrt(2), rel=0.1)
