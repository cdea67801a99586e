"""Adapts to noise that no training knew, and writes the table of docs/adapt.md.

    python experiments/adaptation.py
    python experiments/adaptation.py --limit 8 --only photons:5

Noise is drawn once on the middles of the Kodak photos, which are written as TIFF files of 32 bits.
`adapt` sees these alone. Both models are then measured on the photos that it held out.

Photos of real cameras are surveyed: what their noise is like, and whether `adapt` takes them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from common.data import add_data_option
from scipy import ndimage

from kerasdenoise import Denoiser
from kerasdenoise.adaptation.adapt import adapt
from kerasdenoise.adaptation.methods import choose_method
from kerasdenoise.adaptation.survey import survey_photos
from kerasdenoise.errors import UsageError
from kerasdenoise.evaluation.noisy_sets import find_images, find_pairs
from kerasdenoise.evaluation.pages import table, write_section
from kerasdenoise.images.read import read_image
from kerasdenoise.metrics import psnr

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "adapt.md"
RESULTS = ROOT / "experiments" / "results" / "adaptation.json"
SECTION = "adaptation"

SIDE = 256
Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def draw_photons(peak: float, *, clips: bool = False) -> Draw:
    """Draws numbers of photons, of which white has `peak`."""

    def draw(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
        noisy = rng.poisson(clean * peak) / peak
        return noisy.clip(0, 1) if clips else noisy

    return draw


def draw_columns(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
    """Adds an offset to each column, as of an uncooled thermal sensor, and a little white noise."""
    return clean + rng.normal(0, 0.06, (1, *clean.shape[1:])) + rng.normal(0, 0.02, clean.shape)


def draw_bands(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
    """Adds an offset to each row of all channels, as of a sensor's read-out."""
    return clean + rng.normal(0, 0.06, (clean.shape[0], 1, 1)) + rng.normal(0, 0.02, clean.shape)


def draw_blotches(rng: np.random.Generator, clean: np.ndarray) -> np.ndarray:
    """Adds noise that is shared by pixels up to four apart."""
    noise = ndimage.gaussian_filter(rng.normal(size=clean.shape), (2, 2, 0))
    return clean + 0.08 * noise / noise.std()


NOISES: dict[str, Draw] = {
    "photons:1": draw_photons(1),
    "photons:5": draw_photons(5),
    "photons:5, clipped": draw_photons(5, clips=True),
    "photons:50": draw_photons(50),
    "columns": draw_columns,
    "bands": draw_bands,
    "blotches": draw_blotches,
}


def measure_noise(name: str, files: list[Path], base: str, minutes: float) -> dict[str, Any]:
    """Adapts to a kind of noise, and measures both models with clean photos."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        photos, pairs = [], []
        for file in files:
            clean = _middle(read_image(file).pixels)
            noisy = NOISES[name](rng, clean).astype(np.float32)
            photos.append(Path(folder) / f"{file.stem}.tif")
            tifffile.imwrite(photos[-1], noisy)
            pairs.append((noisy, clean))
        held_out = pairs[4::5] or pairs[-1:]
        row: dict[str, Any] = {
            "noise": name,
            "photos": len(pairs),
            "noisy": _mean(held_out, lambda noisy: noisy),
            "before": _mean(held_out, Denoiser(base).denoise_pixels),
            "after": None,
            "seen": None,
        }
        try:
            outcome = adapt(
                photos,
                Path(folder) / "models" / "adapted",
                Path(folder) / "run",
                base=base,
                seconds=60 * minutes,
                say=lambda line: print(f"  {line}", flush=True),
            )
        except UsageError as error:
            return {**row, "answer": error.cause}
        row["seen"] = outcome.gain.describe()
        if outcome.model is None:
            return {**row, "answer": "not better, not saved"}
        row["after"] = _mean(held_out, Denoiser(outcome.model).denoise_pixels)
        return {**row, "answer": f"saved, by the method {outcome.choice.method.name}"}


def survey_camera(name: str, photos: list[Path]) -> dict[str, Any]:
    """Says of a camera's photos what their noise is like, and whether they are taken."""
    survey = survey_photos(photos, camera="all")
    row = {"noise": name, "photos": len(photos), "noisy": None, "before": None, "after": None}
    try:
        answer = choose_method(survey).reason
    except UsageError as error:
        answer = error.cause
    return {**row, "seen": None, "answer": answer}


def _middle(pixels: np.ndarray) -> np.ndarray:
    top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
    return pixels[top : top + SIDE, left : left + SIDE]


def _mean(pairs: list[tuple[np.ndarray, np.ndarray]], denoise: Callable[..., np.ndarray]) -> float:
    results = ((np.clip(denoise(noisy), 0, 1), clean) for noisy, clean in pairs)
    return float(np.mean([psnr(clean, denoised) for denoised, clean in results]))


def write_page(page: Path, rows: list[dict[str, Any]], base: str) -> None:
    """Writes the table into its section of the page."""
    cells = [
        [
            row["noise"],
            row["photos"],
            *(f"{row[key]:.2f}" if row[key] is not None else "-" for key in ("noisy", "before")),
            f"{row['after']:.2f}" if row["after"] is not None else "-",
            row["answer"],
        ]
        for row in rows
    ]
    headings = ["noise", "photos", "noisy", f"`{base}`", "adapted", "answer"]
    write_section(page, SECTION, table(headings, cells))


def main() -> None:
    """Runs what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_data_option(parser)
    parser.add_argument("--only", nargs="+", metavar="NOISE", choices=NOISES, default=list(NOISES))
    parser.add_argument("--limit", type=int, help="take the first photos only")
    parser.add_argument("--base", default="photo", help="model to start from")
    parser.add_argument("--minutes", type=float, default=10, help="for each kind of noise")
    parser.add_argument("--page", type=Path, default=PAGE, help="file to write")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file for all figures")
    arguments = parser.parse_args()
    files = find_images(arguments.data / "test/kodak24")[: arguments.limit]
    rows = []
    for name in arguments.only:
        rows.append(measure_noise(name, files, arguments.base, arguments.minutes))
        print(*rows[-1].values(), flush=True)
    for folder, cameras in (("real/polyu", ("Canon", "Sony")), ("real/polyu_canon5d2", ("",))):
        for camera in cameras:
            pairs = find_pairs(arguments.data / folder)
            photos = [noisy for noisy, _ in pairs if noisy.name.startswith(camera)]
            rows.append(survey_camera(f"PolyU, {camera or 'Canon 5D2'}", photos))
            print(*rows[-1].values(), flush=True)
    write_page(arguments.page, rows, arguments.base)
    arguments.results.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
