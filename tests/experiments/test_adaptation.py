from __future__ import annotations

from pathlib import Path

import adaptation
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.inference.noise_estimate import estimate_correlation

CLEAN = np.full((128, 128, 3), 0.5, np.float32)


@pytest.mark.parametrize("name", adaptation.NOISES)
def test_noise_is_shared_as_it_is_called(name: str):
    noisy = adaptation.NOISES[name](np.random.default_rng(0), CLEAN)
    assert noisy.mean() == pytest.approx(0.5, abs=0.05)
    found = estimate_correlation(noisy - 1)
    expected = {"columns": [True, False], "bands": [False, True]}
    assert (found.min(axis=1) > 0.5).tolist() == expected.get(name, [False, False])
    if name not in expected:
        assert (found[:, 0] > 0.3).all() == (name == "blotches")


def test_the_table_says_what_was_answered(tmp_path: Path):
    noise = np.random.default_rng(0).normal(128, 30, (2, 96, 96, 3)).clip(0, 255)
    files = [tmp_path / f"{i}.png" for i in range(2)]
    for file, pixels in zip(files, noise.astype(np.uint8), strict=True):
        Image.fromarray(pixels).save(file)
    row = adaptation.survey_camera("PolyU, Sony", files)
    measured = {**row, "noisy": 11.6, "before": 26.61, "after": 26.8}
    page = tmp_path / "adapt.md"
    adaptation.write_page(page, [row, measured], "photo")
    text = page.read_text("utf-8")
    assert "| PolyU, Sony | 2 | - | - | - | the noise is independent" in text
    assert "| 11.60 | 26.61 | 26.80 |" in text
