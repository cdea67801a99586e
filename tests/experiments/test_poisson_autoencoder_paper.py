"""What the page of the Poisson autoencoder claims: the noise, the codes, the split of faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import common.data  # noqa: E402
import poisson_autoencoder_paper  # noqa: E402
from common.records import Record  # noqa: E402
from common.trials import Context, write_recipe  # noqa: E402
from poisson_autoencoder_paper import (  # noqa: E402
    NETWORKS,
    PAPER,
    READINGS,
    find_faces,
    measure_codes,
    measure_readings,
)

from kerasdenoise.data.sources import load_images  # noqa: E402
from kerasdenoise.training.recipe import parse_recipe  # noqa: E402


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with 50 pictures, each of which has a brightness of its own."""
    monkeypatch.setattr(common.data, "FOLDER", tmp_path / "packed")
    folder = tmp_path / "data" / poisson_autoencoder_paper.FACES
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(50):
        spots = rng.integers(60, 190, (16, 16, 3), np.uint8)
        spots[:] = np.clip(spots.astype(int) + number, 0, 255)
        Image.fromarray(spots).resize((128, 128)).save(folder / f"{number:02}.png")
    return tmp_path / "data"


def test_faces_are_split_without_overlap_and_shuffled(faces: Path):
    data = find_faces(faces)
    parts = {
        "train": load_images([data.part()], faces),
        "validation": load_images([data.validation], faces),
        "test": load_images(data.test, faces),
    }
    assert {name: len(each) for name, each in parts.items()} == {
        "train": 38,
        "validation": 2,
        "test": 10,
    }
    every = [image.tobytes() for each in parts.values() for image in each]
    assert len(set(every)) == 50
    # Sorted by name, the last pictures are the brightest.
    brightness = [image.mean() for image in load_images([f"{data.train.partition('[')[0]}"], faces)]
    assert abs(np.corrcoef(brightness, np.arange(50))[0, 1]) < 0.5


def test_photos_are_packed_anew_when_the_folder_changes(faces: Path):
    find_faces(faces)
    made = (common.data.FOLDER / "faces.npz").stat().st_mtime_ns
    find_faces(faces)
    assert (common.data.FOLDER / "faces.npz").stat().st_mtime_ns == made
    (faces / poisson_autoencoder_paper.FACES / "49.png").unlink()
    find_faces(faces)
    with np.load(common.data.FOLDER / "faces.npz") as archive:
        assert len(archive["faces"]) == 49


def test_full_is_the_paper_s_number_of_faces(faces: Path):
    for trial in PAPER.trials:
        assert trial.full.steps * trial.full.batch == 25 * 56_000
    context = Context("poisson_autoencoder", faces, Path("runs"))
    recipe = parse_recipe(write_recipe(PAPER.trials[0], context))
    assert recipe.data.patch_size % 40 == 0
    assert not recipe.data.augment


def test_the_formula_as_it_is_written_doubles_brightness(faces: Path):
    figures = measure_readings(Context("poisson_autoencoder", faces, Path("runs")), faces)
    assert figures["additive"]["brightness"] == pytest.approx(2, abs=0.01)
    assert figures["unit"]["brightness"] == pytest.approx(2, abs=0.05)
    assert figures["halved"]["brightness"] == pytest.approx(1, abs=0.01)
    assert figures["additive"]["raw"]["psnr"] < 8
    assert figures["unit"]["raw"]["psnr"] < 4
    # Half of what is added, so a quarter of the variance: 6.02 dB.
    gain = figures["halved"]["raw"]["psnr"] - figures["shot"]["raw"]["psnr"]
    assert gain == pytest.approx(6.02, abs=0.1)


def test_a_code_of_27_numbers_holds_less(faces: Path):
    figures = measure_codes(Context("poisson_autoencoder", faces, Path("runs")), faces)
    assert figures["3x3x3"]["numbers"] == 27
    assert figures["3x3x3"]["psnr"] + 5 < figures["30x30x3"]["psnr"] < figures["60x60x3"]["psnr"]


def make_record(name: str) -> Record:
    trial = next(each for each in PAPER.trials if each.name == name)
    figures = {
        "psnr": 21.0,
        "psnr_error": 0.1,
        "ssim": 0.6,
        "mse": 0.008,
        "noisy": {"psnr": 32.5},
        "training": {"psnr": 21.5},
        "mse_curve": [[10, 0.02], [20, 0.01]],
    }
    return Record(
        name,
        trial.title,
        "quick",
        trial.about,
        1,
        "made up",
        figures,
        1.0,
        steps=20,
        batch=8,
        full_steps=87_500,
        full_batch=16,
        curve=[[10, 17.0], [20, 20.0]],
    )


def test_the_page_shows_trainings_and_how_far_they_came(tmp_path: Path):
    records = {
        name: make_record(name)
        for network in ("literal", "wide")
        for name in [f"{network}_{reading}" for reading in READINGS]
    }
    text = PAPER.write_page(records, tmp_path)
    assert "21.00<br>partial: 20 steps of 8, paper 87,500 of 16" in text
    assert "| 21.50 | +0.50 |" in text
    assert text.count("not run") > 3
    for name in ("bars", "psnr", "mse"):
        assert (tmp_path / f"poisson_autoencoder_{name}.png").exists()
        assert f"poisson_autoencoder_{name}.png)" in text


def test_a_page_without_figures_shows_no_picture(tmp_path: Path):
    text = PAPER.write_page({}, tmp_path)
    assert "not run" in text
    assert "![" not in text
    cells = {cell for line in text.splitlines() for cell in line.split(" | ")}
    assert {title for title, _, _ in NETWORKS.values()} <= cells
