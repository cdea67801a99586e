from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import noise_level
import numpy as np
import pytest

from kerasdenoise.evaluation.noisy_sets import Sample

Outcome = noise_level.Outcome


@dataclass(frozen=True)
class _Halves:
    """One image, the right half of which is four times as noisy as the left one."""

    label: str = "made up"
    names: tuple[str, ...] = ("halves",)

    def load(self, index: int) -> Sample:
        rng = np.random.default_rng(index)
        sigma = np.array([0.02, 0.08], np.float32).repeat(32)[:, np.newaxis]
        clean = np.full((48, 64, 3), 0.5, np.float32)
        return Sample(clean + sigma * rng.standard_normal(clean.shape, np.float32), clean)


def test_an_estimate_is_compared_with_the_noise_that_is_there():
    true = np.sqrt(np.mean(np.square([0.02, 0.08])))
    level = np.array([0.02, 0.08], np.float32).repeat(32) * np.ones((48, 1), np.float32)
    estimates = {"map": lambda noisy: level, "turned": lambda noisy: level[:, ::-1]}
    outcomes = noise_level.measure(_Halves(), {**estimates, "number": lambda noisy: 0.1})
    (by_map,), (turned,), (by_number,) = outcomes.values()
    for outcome in (by_map, turned, by_number):
        assert outcome.true == pytest.approx(true, rel=0.05)
    assert by_map.estimated == pytest.approx(true, rel=1e-5)
    assert by_map.correlation > 0.9
    assert turned.correlation < -0.9
    assert by_number.estimated == pytest.approx(0.1)
    assert by_number.correlation is None


def test_a_row_says_ratio_and_range():
    outcomes = [Outcome(0.02, 0.02 * ratio, ratio / 2) for ratio in (0.8, 1.0, 1.1)]
    row = noise_level.format_row("`camera:0.004`", "`any`", outcomes)
    assert row == ("`camera:0.004`", 3, "5.1", "`any`", "1.00", "0.84 to 1.08", "0.50")
    assert noise_level.format_row("`gaussian:5`", "`any`", outcomes)[-1] == "-"


def test_a_model_that_estimates_nothing_is_refused(models: Path):
    with pytest.raises(SystemExit, match=r"tiny .*noise level"):
        noise_level.find_estimates(["tiny"])
