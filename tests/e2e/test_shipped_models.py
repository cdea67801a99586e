"""The models that ship: intact, true to their cards, and useful on the sample photo."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.export.card import render_card
from kerasdenoise.images.read import read_image
from kerasdenoise.inference.denoiser import Denoiser
from kerasdenoise.metrics import psnr
from kerasdenoise.zoo import ModelInfo, find_model, verify_model

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("KERASDENOISE_DATA", ROOT.parent / "shared" / "data"))
SAMPLES = ROOT / "docs" / "images"
SHIPPED = ROOT / "saved_models"
MODELS = sorted(json.loads((SHIPPED / "index.json").read_text("utf-8"))["models"])
FAST = "photo_tiny"
# Where many pictures are denoised, the largest takes as long as all others.
MANY = pytest.mark.parametrize(
    "info",
    [pytest.param(name, marks=pytest.mark.slow if "large" in name else ()) for name in MODELS],
    indirect=True,
)
# Decibels that the sample photo gains at least. No classical method removes much camera noise.
GAINS = {
    "photo": 8.5,
    "photo_large": 8.9,
    "photo_tiny": 8.2,
    "perona_malik": 4.8,
    "reaction_diffusion": 5.2,
}


@pytest.fixture(params=MODELS)
def info(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModelInfo:
    monkeypatch.setenv("KERASDENOISE_MODELS", str(SHIPPED))
    return find_model(request.param)


def test_every_file_is_the_one_that_was_recorded(info: ModelInfo):
    verify_model(info)
    assert info.files is not None
    assert {"model.keras", "model.tflite", "README.md", "recipe.toml"} <= set(info.files)


def test_its_card_is_what_export_would_write(info: ModelInfo):
    card = (info.folder / "README.md").read_text("utf-8")
    assert card == render_card(dict(info.metadata))


def test_the_hub_can_read_its_card(info: ModelInfo):
    card = (info.folder / "README.md").read_text("utf-8")
    _, block, _ = card.split("---\n", 2)
    values = {key: json.loads(text) for key, text in re.findall(r"^([\w-]+): (.*)$", block, re.M)}
    assert values["license"] == "apache-2.0"
    assert values["pipeline_tag"] == "image-to-image"
    (entry,) = values["model-index"]
    assert entry["name"] == info.name
    first = entry["results"][0]
    assert first["dataset"] == {"name": "CBSD68, gaussian:15", "type": "cbsd68"}
    (psnr_value, _) = (metric["value"] for metric in first["metrics"])
    assert f"| CBSD68 | 68 | gaussian:15 | 24.61 | {psnr_value:.2f} ±" in card


def test_its_sidecars_say_whether_the_tone_is_kept(info: ModelInfo):
    sidecars = sorted(path.with_suffix(".json") for path in info.folder.glob("mo*_*.tflite"))
    said = [json.loads(path.read_text("utf-8")) for path in sidecars]
    assert all(each["keeps_tone"] == info.keeps_tone for each in said)
    tiles = [each["tile"] for each in said]
    assert all(tile["halo"] % 8 == 0 and (tile["size"] or 8) % 8 == 0 for tile in tiles)


def test_the_sample_photo_gains(info: ModelInfo):
    noisy = read_image(SAMPLES / "sample_noisy.jpg").pixels
    clean = read_image(SAMPLES / "sample_clean.png").pixels
    denoised = np.clip(Denoiser(info.name).denoise_pixels(noisy), 0, 1)
    assert psnr(clean, denoised) > psnr(clean, noisy) + GAINS[info.name]


@MANY
def test_more_strength_changes_more(info: ModelInfo):
    noisy = read_image(SAMPLES / "sample_noisy.jpg").pixels[:160, :160]
    strengths = [0.0, 0.3, 0.7, 1.0, *([1.2, 1.6, 2.0] if info.follows_level else [])]
    denoiser = Denoiser(info.name)
    changes = [np.abs(denoiser.denoise_pixels(noisy, each) - noisy).mean() for each in strengths]
    assert changes[0] == 0
    assert (np.diff(changes) > 0).all()


@MANY
def test_detail_gives_back_signal_of_what_was_too_much_and_costs_little(info: ModelInfo):
    clean = read_image(SAMPLES / "sample_clean.png").pixels[:256, :256]
    noisy = clean + np.random.default_rng(0).normal(0, 15 / 255, clean.shape).astype("f4")
    denoiser, luma = Denoiser(info.name), np.array([0.299, 0.587, 0.114], "f4")
    for strength in (1.0, 1.5)[: 1 + info.follows_level]:
        plain = denoiser.denoise_pixels(noisy, strength)
        back = denoiser.denoise_pixels(noisy, strength, detail=1) - plain
        correlation = np.corrcoef((back @ luma).ravel(), ((clean - plain) @ luma).ravel())[0, 1]
        half = denoiser.denoise_pixels(noisy, strength, detail=0.5)
        loss = psnr(clean, plain) - psnr(clean, half)
        # At 1 a network takes what it cannot tell from noise, of which no one can do better.
        assert correlation > (0.1 if strength > 1 or info.name == "perona_malik" else -0.02)
        assert loss < (0 if strength > 1 else 0.02)

    flat = np.random.default_rng(0).normal(0.5, 15 / 255, (128, 128, 3)).astype("f4")
    back = denoiser.denoise_pixels(flat, detail=1) - denoiser.denoise_pixels(flat)
    assert back.std() < 0.5 / 255


@MANY
@pytest.mark.parametrize("level", [16, 128, 240])
@pytest.mark.parametrize("shape", [(33, 47, 3), (64, 64, 1)])
def test_a_flat_gray_stays_as_it_is(info: ModelInfo, level: int, shape: tuple[int, ...]):
    flat = np.full(shape, level / 255, np.float32)
    assert np.abs(Denoiser(info.name).denoise_pixels(flat) - flat).max() < 1 / 255


@pytest.mark.parametrize(
    "info",
    # The others take minutes, in the same way.
    [pytest.param(name, marks=[] if name == FAST else pytest.mark.slow) for name in MODELS],
    indirect=True,
)
def test_the_card_tells_the_truth(info: ModelInfo):
    """Measures the smallest test set of each kind again: simulated noise, and real pairs."""
    pytest.importorskip("tensorflow")
    from kerasdenoise.evaluation.noisy_sets import (
        Corrupted,
        Corruption,
        Pairs,
        find_images,
        find_pairs,
    )
    from kerasdenoise.evaluation.quality import measure

    rows = [row for row in info.metadata["figures"] if (DATA / row["folder"]).is_dir()]
    if not rows:
        pytest.skip(f"none of the test sets is in {DATA}")
    kinds = [
        [row for row in rows if bool(row["noise"]) == simulated] for simulated in (True, False)
    ]
    for row in [min(kind, key=lambda row: row["images"]) for kind in kinds if kind]:
        folder = DATA / row["folder"]
        noise = row["noise"]
        samples = (
            Corrupted(find_images(folder), Corruption(noise))
            if noise
            else Pairs(find_pairs(folder))
        )
        assert measure(Denoiser(info.name), samples).mean("psnr") >= row["psnr"] - 0.05
