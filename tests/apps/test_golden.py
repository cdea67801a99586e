from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
from PIL import Image

from kerasdenoise import Denoiser

ROOT = Path(__file__).parents[2]


def test_the_golden_photos_are_those_of_the_shipped_model():
    spec = importlib.util.spec_from_file_location("make", ROOT / "apps" / "golden" / "make.py")
    assert spec is not None
    assert spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    noisy, denoised = (read(path) for path in (make.NOISY, make.DENOISED))
    assert np.array_equal(noisy, make.make_noisy())
    expected = Denoiser(ROOT / "saved_models" / make.MODEL)(noisy)
    difference = np.abs(denoised.astype(np.float32) - expected)
    assert difference.max() <= 1, "run python apps/golden/make.py"


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)
