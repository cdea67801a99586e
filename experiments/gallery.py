"""Pictures of what `photo` does: `python experiments/gallery.py`.

Writes docs/images/hard_cases.png, pictures that a denoiser easily spoils, and
docs/images/detail.jpg, the option --detail on a portrait and on sand. Their photos are CC0; those
of the second picture are among the training photos, so it shows the option and not the quality.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common.data import add_data_option

from kerasdenoise.errors import KerasDenoiseError
from kerasdenoise.evaluation.figures import add_noise
from kerasdenoise.evaluation.pages import draw_images
from kerasdenoise.images.read import read_image
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.metrics import psnr

IMAGES = Path(__file__).parents[1] / "docs" / "images"
_SIDE = 192
_CLOSE_UP = 128
_DETAIL = (0.0, 0.5, 1.0)
_NOISE, _STRONG_NOISE = "camera:0.004", "camera:0.008"
# Where the portrait's face and a piece of the sand begin, in rows and columns.
_CLOSE_UPS = {
    "portrait": ("girl-lossless.webp", 130, 300),
    "sand": ("sand-lossless.webp", 240, 260),
}


def find_hard_cases(clean: np.ndarray) -> dict[str, np.ndarray]:
    """Makes pictures in which regular patterns or extreme values look like noise.

    Args:
        clean: A photo, float32 (height, width, 3) in [0, 1].

    Returns:
        Pictures of the same type and shape, by their titles.
    """
    height, width, _ = clean.shape
    generator = np.random.default_rng(0)
    gray = np.broadcast_to(clean.mean(axis=-1, keepdims=True), clean.shape)
    order = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
    threshold = np.tile((order + 0.5) / 16, (height // 4 + 1, width // 4 + 1))[:height, :width]
    lamp = 0.25 * clean
    rows, columns = np.ogrid[:height, :width]
    lamp[(rows - 0.3 * height) ** 2 + (columns - 0.7 * width) ** 2 < (0.06 * width) ** 2] = 50
    sky = np.full_like(clean, (0.01, 0.012, 0.03))
    stars = generator.integers(0, (height, width), (60, 2))
    sky[tuple(stars.T)] = generator.uniform(0.2, 1, (60, 1))
    stripes = np.broadcast_to((np.arange(width) // 2 % 2)[np.newaxis, :, np.newaxis], clean.shape)
    return {
        "1-bit dither": (gray > generator.uniform(size=gray.shape[:2])[..., np.newaxis]) * 1.0,
        "ordered dither": (clean > threshold[..., np.newaxis]) * 1.0,
        "stripes of 2 pixels": 0.3 + 0.4 * stripes,
        "a lamp of 50, with noise": add_noise(lamp[np.newaxis], "gaussian:6")[0],
        "a night sky, with noise": np.clip(add_noise(sky[np.newaxis], "gaussian:6")[0], 0, 1),
        "noise of a camera": add_noise(clean[np.newaxis], _NOISE)[0],
    }


def draw_hard_cases(denoise: Callable[[np.ndarray], np.ndarray], clean: np.ndarray) -> None:
    """Draws each case above its result."""
    cases = {name: case.astype(np.float32) for name, case in find_hard_cases(clean).items()}
    results = [denoise(case) for case in cases.values()]
    shift = [
        255 * np.abs((result - case).mean(axis=(0, 1))).max()
        for case, result in zip(cases.values(), results, strict=True)
    ]
    titles = [list(cases), [f"denoised, mean {each:+.2f}/255" for each in shift]]
    draw_images([list(cases.values()), results], titles, IMAGES / "hard_cases.png")


def draw_detail(denoiser: Denoiser, photos: Path) -> None:
    """Draws a portrait and sand: noisy, and denoised with more and more detail given back."""
    rows, titles = [], []
    for name, (file, top, left) in _CLOSE_UPS.items():
        photo = read_image(photos / file).pixels
        noisy = add_noise(photo[np.newaxis], _STRONG_NOISE)[0]
        results = [denoiser.denoise_pixels(noisy, detail=detail) for detail in _DETAIL]
        part = slice(top, top + _CLOSE_UP), slice(left, left + _CLOSE_UP)
        close_ups = [np.clip(each[part], 0, 1) for each in (noisy, *results)]
        quality = [f"{psnr(photo[part], each):.2f} dB" for each in close_ups]
        names = [name, *(f"--detail {detail:g}" for detail in _DETAIL)]
        rows.append(close_ups)
        titles.append([", ".join(pair) for pair in zip(names, quality, strict=True)])
    draw_images(rows, titles, IMAGES / "detail.jpg")


def main(options: list[str] | None = None) -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="photo", metavar="NAME|FOLDER")
    add_data_option(parser)
    arguments = parser.parse_args(options)
    try:
        sample = read_image(IMAGES / "sample_clean.png").pixels
        denoiser = Denoiser(arguments.model)
        draw_hard_cases(denoiser.denoise_pixels, sample[60 : 60 + _SIDE, 120 : 120 + _SIDE])
        draw_detail(denoiser, arguments.data / "train" / "gb82")
    except KerasDenoiseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
