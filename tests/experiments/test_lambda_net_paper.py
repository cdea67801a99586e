"""What the LambdaNet paper's page claims: weights, errors in the table, a photo."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import lambda_net_paper  # noqa: E402
from common.trials import Context, write_recipe  # noqa: E402
from lambda_net.lambda_net_page import (  # noqa: E402
    FUTURE,
    MODELS,
    NOISES,
    PUBLISHED,
    PUBLISHED_PARAMETERS,
    PUBLISHED_WEIGHTS,
)

from kerasdenoise.training.recipe import parse_recipe  # noqa: E402
from tests.experiments.test_papers import make_record  # noqa: E402


def test_every_network_has_the_paper_s_number_of_weights(tmp_path: Path):
    context = Context("lambda_net", tmp_path, tmp_path)
    costs = lambda_net_paper.count_costs(context, tmp_path)
    for channels, published in PUBLISHED_PARAMETERS.items():
        assert costs[f"channels_{channels}"]["parameters"] == published
        assert published == 8_847 + 6.75 * channels + channels**2 / 2
    counts = {name: costs[name]["parameters"] for name in MODELS}
    assert counts == {
        "lambda_23": 9_083,
        "lambda_7": 3_959,
        "autoencoder": 47_355,
        "dncnn": 558_336,
    }
    # The page says that a step of one computes as much as 16 of the other.
    arithmetic = {name: costs[name]["mac_per_pixel"] for name in MODELS}
    assert arithmetic["dncnn"] / arithmetic["lambda_23"] == pytest.approx(16, abs=0.5)


def test_full_is_the_paper_s_training():
    full = {trial.name: trial.full for trial in lambda_net_paper.PAPER.trials}
    assert full["lambda_23_speckle"].steps == 50 * 195
    assert full["autoencoder_speckle"].steps == 300 * 195
    assert full["dncnn_speckle"].steps == 200 * 195
    assert {length.batch for length in full.values()} == {256}


def test_the_errors_of_the_table_are_shown_by_its_own_figures(tmp_path: Path):
    text = lambda_net_paper.PAPER.write_page({}, tmp_path)
    assert PUBLISHED["gaussian_02"]["autoencoder"] == PUBLISHED["speckle"]["autoencoder"]
    # By LambdaNet's fall from 0.1 to 0.2 and on to 0.3, the copied row would be:
    assert "it would have\n  23.4 dB; its published weights give 23.64" in text
    assert "From sigma 0.2 to 0.3 it would lose\n  0.04 dB" in text
    for psnr, difference in ((28.37, "**+1.67**"), (24.93, "**+2.14**"), (43.98, "**+8.32**")):
        assert f"| {psnr:.2f} | {difference} |" in text
    assert "| 26.86 | -0.02 |" in text


def test_what_was_measured_of_the_published_weights_says_that_no_command_makes_it():
    weights = json.loads(PUBLISHED_WEIGHTS.read_text("utf-8"))
    assert "no command" in weights["how"]
    for convention in ("psnr", "psnr_image_max"):
        assert set(weights[convention]) == set(NOISES)
    for noise, by_model in weights["psnr"].items():
        for model, usual in by_model.items():
            assert usual - weights["psnr_image_max"][noise][model] == pytest.approx(0.41, abs=0.02)


def test_a_photo_is_denoised_by_all_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import keras

    pixels = keras.Input((None, None, 3))
    identity = keras.Model(pixels, keras.layers.Rescaling(1.0)(pixels))
    monkeypatch.setattr(Context, "load", lambda self, trial: identity)
    spots = np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)
    (tmp_path / "train" / "gb82").mkdir(parents=True)
    photo = tmp_path / lambda_net_paper.PHOTOS[0]
    Image.fromarray(spots).resize((140, 130)).save(photo, lossless=True)
    context = Context("lambda_net", tmp_path, tmp_path)
    figures = lambda_net_paper.denoise_photo(context, tmp_path)
    assert (figures["height"], figures["width"]) == (128, 136)
    assert figures["noisy"]["psnr"] == pytest.approx(20, abs=0.3)
    assert figures["dncnn"]["psnr"] > figures["noisy"]["psnr"]
    assert figures["dncnn"]["edginess"] > 1.5
    assert (tmp_path / "photo.png").exists()


def test_its_future_work_has_rows_once_it_is_trained(tmp_path: Path):
    trials = {trial.name: trial for trial in lambda_net_paper.PAPER.trials}
    text = lambda_net_paper.PAPER.write_page({}, tmp_path)
    assert "future work\n" not in text
    context = Context("lambda_net", tmp_path, Path("runs"))
    recipe = parse_recipe(write_recipe(trials["transferred"], context))
    assert recipe.model.initial_weights == "runs/lambda_net/quick/photos_first"
    for name, (_, changes) in FUTURE.items():
        config = parse_recipe(write_recipe(trials[name], context)).model.config
        assert {key: getattr(config, key) for key in changes} == changes
    record = make_record(trials["key_depth_64"], "quick")
    text = lambda_net_paper.PAPER.write_page({"key_depth_64": record}, tmp_path)
    assert "| k = 64 | 24.60<br>" in text
    assert "| layer normalization | not run |" in text
