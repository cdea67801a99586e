"""Writes a photo and what a shipped model makes of it, by which an app tells that it runs it right.

    python apps/golden/make.py

The photo is larger than a tile of 256 pixels, so that several tiles are laid; what is done with
them shows at no seam.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kerasdenoise import Denoiser

FOLDER = Path(__file__).resolve().parent
MODEL = "photo_tiny"
NOISY, DENOISED = FOLDER / "noisy.png", FOLDER / "denoised.png"

_SAMPLE = FOLDER.parents[1] / "docs" / "images" / "sample_clean.png"
_AREA = (150, 90, 150 + 240, 90 + 180)  # left, top, right, bottom
_SIGMA = 15  # of 255


def make_noisy() -> np.ndarray:
    """Makes the photo: a part of the sample in the documentation, with noise."""
    with Image.open(_SAMPLE) as sample:
        clean = np.asarray(sample.convert("RGB").crop(_AREA), np.float32)
    noise = np.random.default_rng(0).normal(0, _SIGMA, clean.shape)
    return np.rint(np.clip(clean + noise, 0, 255)).astype(np.uint8)


def main() -> None:
    """Writes both files."""
    noisy = make_noisy()
    for path, pixels in ((NOISY, noisy), (DENOISED, Denoiser(MODEL)(noisy))):
        Image.fromarray(pixels).save(path, optimize=True)


if __name__ == "__main__":
    main()
