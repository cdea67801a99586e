"""Runs on other data than folders of color photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.validation import Validation

GRAY = '{ preset = "tiny", channels = 1 }'


def test_a_gray_model_learns_from_color_photos(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    text = recipe_text(config=GRAY, steps="200", interval="200", kind='"gaussian:25"', warmup="10")
    last = train(parse_recipe(text), tmp_path, photos)
    assert last is not None
    # The noise itself is at 20.2 dB, where the network starts.
    assert last.psnr["gaussian:25"] > 20.7


@pytest.mark.parametrize("config", ['{ preset = "tiny" }', GRAY])
def test_small_pictures_of_an_archive_are_trained_on_whole(
    recipe_text: Callable[..., str], tmp_path: Path, config: str
):
    pictures = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "small.npz", x_train=pictures[:15], x_test=pictures[15:])
    text = recipe_text(
        config=config,
        train='["small.npz:x_train"]',
        validation='["small.npz:x_test"]',
        margin="0",
        crop="32",
    )
    last = train(parse_recipe(text), tmp_path / "run", tmp_path)
    assert last is not None
    assert last.step == 6
    assert 10 < last.psnr["gaussian:25"] < 40


def test_files_are_left_out_of_validation_as_well(recipe_text: Callable[..., str], photos: Path):
    text = recipe_text(batch='4\nexclude = ["d.png", "e.png"]')
    with pytest.raises(RecipeError, match="validation: has no photo of 64 pixels"):
        Validation(parse_recipe(text), photos)
