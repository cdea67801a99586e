from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.evaluation.comparison.pictures import SIGMA, Pictures, make_noisy


def test_noise_is_what_a_file_can_hold(tmp_path: Path):
    path = tmp_path / "gray.png"
    Image.fromarray(np.full((64, 64), 128, np.uint8)).save(path)
    for gray, channels in ((False, 3), (True, 1)):
        (sample,) = Pictures("set", [path], gray)
        assert sample.clean.shape == sample.noisy.shape == (64, 64, channels)
        steps = 255 * sample.noisy
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-4)
        assert np.std(sample.noisy - sample.clean) == pytest.approx(SIGMA, rel=0.05)


def test_the_noise_of_a_picture_is_always_the_same(write_photo: Callable[..., Path]):
    files = [write_photo("a.png"), write_photo("b.png")]
    first, second = Pictures("set", files)
    np.testing.assert_array_equal(first.clean, second.clean)
    assert (first.noisy != second.noisy).any()
    (again, _) = Pictures("set", files)
    np.testing.assert_array_equal(again.noisy, first.noisy)


def test_a_photo_is_made_of_noise_of_that_strength():
    pixels = make_noisy(130, 70)
    assert pixels.shape == (130, 70, 3)
    assert pixels.dtype == np.uint8
    # Neighbors differ by the noise of both, and by little else.
    differences = np.diff(pixels.astype(np.float64), axis=0)
    assert np.std(differences) == pytest.approx(255 * SIGMA * np.sqrt(2), rel=0.1)
