from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import real_photos

from kerasdenoise.evaluation.noisy_sets import Sample


class _Tinting:
    """Removes half of the noise of a gray picture, and brightens it by 2/255."""

    info = SimpleNamespace(follows_level=False, estimates_level=True)

    def denoise_pixels(self, noisy: np.ndarray, strength: float) -> np.ndarray:
        return noisy + np.float32(strength) * ((0.5 - noisy) / 2 + np.float32(2 / 255))

    def estimate_noise(self, noisy: np.ndarray) -> np.ndarray:
        return np.full(noisy.shape[:2], 0.05, np.float32)


def test_a_pair_is_measured():
    truth = np.full((128, 128, 3), 0.5, np.float32)
    noise = np.random.default_rng(0).normal(0, 0.1, truth.shape).astype(np.float32)
    figures = real_photos.measure(_Tinting(), Sample(truth + noise, truth))  # pyright: ignore
    assert figures.noisy == pytest.approx(20, abs=0.1)
    assert figures.psnr["1"] == pytest.approx(26, abs=0.2)
    assert set(figures.psnr) == {"0.8", "0.9", "1"}
    assert figures.tone_changed == pytest.approx(2, abs=0.1)
    assert figures.level == pytest.approx(0.5, rel=0.02)
    row = real_photos.format_camera("Camera", "model", [figures])
    assert len(row) == 8 + len(real_photos.STRENGTHS)
    assert row[-1] == "0.50"


def test_patterns_are_measured_by_their_mean():
    patterns = dict(real_photos.draw_patterns())
    assert {pattern.dtype.name for pattern in patterns.values()} == {"uint8"}

    def brighter(picture: np.ndarray) -> np.ndarray:
        return np.clip(picture + np.array([0, 3, 0]), 0, 255)

    pattern = patterns["gray 128, clipped noise"]
    assert real_photos.measure_pattern(brighter, pattern) == 3  # pyright: ignore
