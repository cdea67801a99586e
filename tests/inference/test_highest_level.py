"""Models that have learned noise up to a level, and pictures with more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.cli.treatment import Treatment
from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.zoo import find_model

NOISY = np.random.default_rng(4).random((40, 48, 3), np.float32)


@pytest.fixture
def limit(guided_folder: Path, tmp_path: Path):
    """Makes a model that estimates the level have learned no more than a level."""

    def write(highest: object) -> Path:
        shutil.copytree(guided_folder, tmp_path / "model")
        metadata = json.loads((guided_folder / "metadata.json").read_text("utf-8"))
        metadata["highest_level"] = highest
        (tmp_path / "model" / "metadata.json").write_text(json.dumps(metadata), "utf-8")
        return tmp_path / "model"

    return write


def test_stronger_noise_counts_as_the_strongest_that_was_learned(limit, guided_folder: Path):
    denoiser = Denoiser(limit(1e-4))
    assert denoiser.share_beyond == 0
    denoised = denoiser.denoise_pixels(NOISY)
    assert denoiser.share_beyond > 0.99
    told = Denoiser(guided_folder, sigma=1e-4)
    np.testing.assert_allclose(denoised, told.denoise_pixels(NOISY), atol=1e-3)
    assert np.abs(denoised - Denoiser(guided_folder).denoise_pixels(NOISY)).max() > 0.01
    denoiser.denoise_pixels(NOISY, 0)  # not looked at
    assert denoiser.share_beyond == 0


def test_noise_below_is_denoised_as_ever(limit, guided_folder: Path):
    most = float(Denoiser(guided_folder).estimate_noise(NOISY).max())
    denoiser = Denoiser(limit(2 * most))
    expected = Denoiser(guided_folder).denoise_pixels(NOISY)
    np.testing.assert_array_equal(denoiser.denoise_pixels(NOISY), expected)
    assert denoiser.share_beyond == 0


def test_a_photo_with_more_noise_has_a_note(limit, tmp_path: Path):
    Image.fromarray((255 * NOISY).astype(np.uint8)).save(tmp_path / "photo.png")
    denoiser = Denoiser(limit(1e-4))
    treatment = Treatment(denoiser, denoiser.prepare())
    denoised = treatment.denoise(treatment.read(tmp_path / "photo.png"))
    assert ["more noise than unet" in note for note in denoised.notes] == [True]


def test_a_level_beyond_is_refused(limit):
    folder = limit(0.2)
    Denoiser(folder, sigma=0.2)
    with pytest.raises(UsageError, match=r"sigma 76.5/255.*above 51/255.*unet"):
        Denoiser(folder, sigma=0.3)


@pytest.mark.parametrize("highest", [0.0, -1.0, "much", True, float("inf")])
def test_metadata_that_make_no_sense_are_refused(limit, highest: object):
    with pytest.raises(ModelError, match="highest_level"):
        find_model(limit(highest))
