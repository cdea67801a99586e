"""Runs on other data than folders of color photos."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.errors import RecipeError
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.validation import Validation

GRAY = '{ preset = "tiny", channels = 1 }'


def test_a_gray_model_learns_from_color_photos(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    text = recipe_text(
        config=GRAY, steps="200", interval="200", kind='"gaussian:25"', warmup_steps="10"
    )
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
        crop_size="32",
    )
    last = train(parse_recipe(text), tmp_path / "run", tmp_path)
    assert last is not None
    assert last.step == 6
    assert 10 < last.psnr["gaussian:25"] < 40


def test_files_are_left_out_of_validation_as_well(recipe_text: Callable[..., str], photos: Path):
    text = recipe_text(batch_size='4\nexclude = ["d.png", "e.png"]')
    with pytest.raises(RecipeError, match=r"validation: .*64 pixels"):
        Validation(parse_recipe(text), photos)


class _Answer:
    """A network that gives the same answer to everything."""

    inputs = (None,)

    def __init__(self, answer: np.ndarray) -> None:
        self._answer = answer

    def predict(self, inputs: np.ndarray, **_: object) -> np.ndarray:
        return np.broadcast_to(self._answer, inputs.shape)


def test_progress_is_measured_against_the_mean_of_exposures(
    recipe_text: Callable[..., str], tmp_path: Path
):
    folder = tmp_path / "validation"
    folder.mkdir()
    value = 242 / 255
    Image.fromarray(np.full((64, 64, 3), 242, np.uint8)).save(folder / "flat.png")
    text = recipe_text(root=f'"{tmp_path.as_posix()}"', crop_size='64\nnoises = ["speckle:0.2"]')
    validation = Validation(parse_recipe(text), tmp_path)
    rng = np.random.default_rng(0)
    noisy = np.clip(value * (1 + np.sqrt(0.2) * rng.normal(size=400_000)), 0, 1)
    clean, mean = (
        validation.measure(_Answer(np.float32(answer)))["speckle:0.2"]  # pyright: ignore
        for answer in (value, noisy.mean())
    )
    assert clean < 20
    assert mean > 45
