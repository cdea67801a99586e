"""`adapt` around classical diffusion, which learns in a moment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise import Denoiser
from kerasdenoise.adaptation.adapt import PICTURE, Outcome, adapt
from kerasdenoise.adaptation.crops import Crops
from kerasdenoise.adaptation.methods import METHODS, find_method
from kerasdenoise.adaptation.methods.method import Method, find_source
from kerasdenoise.adaptation.methods.quick import Quick
from kerasdenoise.adaptation.survey import survey_photos
from kerasdenoise.cli.adapt import command
from kerasdenoise.errors import ModelError, RecipeError, UsageError
from kerasdenoise.images.read import read_image
from kerasdenoise.training.run import Progress
from kerasdenoise.training.tasks import build_task
from kerasdenoise.zoo import find_model

Shoot = Callable[..., list[Path]]
Adapt = Callable[..., tuple[Outcome, list[str]]]


@pytest.fixture
def learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_curves: None) -> Adapt:
    """Adapts to photos in a few steps; returns what came of it and what was said."""
    monkeypatch.setattr(Method, "interval", 4)
    monkeypatch.setattr(Method, "patch", 32)
    for method in METHODS:
        monkeypatch.setattr(method, "steps", 12)
    monkeypatch.setattr(Quick, "rate", 0.1)

    def act(photos: list[Path], **options: object) -> tuple[Outcome, list[str]]:
        said: list[str] = []
        given = {"base": "perona_malik", "say": said.append, **options}
        outcome = adapt(photos, tmp_path / "models" / "mycam", tmp_path / "run", **given)  # pyright: ignore
        return outcome, said

    return act


def test_an_interrupted_call_resumes_and_saves_a_better_model(
    learn: Adapt, shoot: Shoot, tmp_path: Path
):
    photos = shoot("photons")
    before = [file.read_bytes() for file in photos]
    steps = []

    def interrupt(progress: Progress) -> None:
        steps.append(progress.step)
        if progress.step == 4:
            raise KeyboardInterrupt

    outcome, said = learn(photos, report=interrupt)
    assert any("interrupted" in line for line in said)
    assert any("independent from pixel to pixel" in line for line in said)
    assert outcome.model == tmp_path / "models" / "mycam"
    with pytest.raises(UsageError, match="mycam"):
        learn(photos)  # it exists
    with pytest.raises(RecipeError, match=r"different recipe.*--run"):
        learn(shoot("white", 4, folder="another"), overwrite=True)

    outcome, _ = learn(photos, report=lambda progress: steps.append(progress.step), overwrite=True)
    assert steps == [4, 8, 12]
    assert [file.read_bytes() for file in photos] == before
    assert outcome.gain.is_better
    assert outcome.gain.after < outcome.gain.before
    noisy = read_image(photos[0]).pixels
    denoised = Denoiser(outcome.model).denoise_pixels(noisy)
    start = Denoiser("perona_malik").denoise_pixels(noisy)
    assert np.diff(denoised, axis=0).std() < 0.9 * np.diff(start, axis=0).std()
    card = (outcome.model / "README.md").read_text("utf-8")
    assert "| Adapted from | `perona_malik` |" in card
    assert "| Method | `quick` |" in card
    assert "3 photos" in card
    index = json.loads((tmp_path / "models" / "index.json").read_text("utf-8"))
    assert "mycam" in index["models"]
    assert read_image(tmp_path / "run" / PICTURE).width == 3 * 64


def test_what_is_not_better_is_not_saved(
    learn: Adapt, shoot: Shoot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Quick, "rate", 1e-12)
    outcome, _ = learn(shoot("white"))
    assert not outcome.gain.is_better
    assert outcome.model is None
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("name", [method.name for method in METHODS])
def test_every_method_has_a_recipe_that_can_be_followed(name: str, shoot: Shoot):
    survey = survey_photos(shoot("white", size=(128, 128)))
    method = find_method(name)
    versions = 2 if method.learns_from_scenes else 1
    crops = Crops(*(np.full((2, 64, 64, 3 * versions), 0.5, np.float32) for _ in range(2)))
    recipe = method.write_recipe("mycam", find_model("perona_malik"), survey, crops, "run")
    task = build_task(recipe)
    patch = recipe.data.patch_size
    assert patch == 64
    seen = task(keras.ops.zeros((recipe.data.batch_size, patch, patch, 3 * versions)))
    assert np.isfinite(float(task.compute_loss(None, None, seen)))


def test_methods_on_the_command_line_are_all_but_that_of_pairs():
    (option,) = [each for each in command.params if each.name == "method"]
    assert [*option.type.choices, "pairs"] == [method.name for method in METHODS]  # pyright: ignore


# Classical diffusion has no weights, so that nothing can be gained.
@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_pairs_are_aligned_and_judged_by_the_clean_photos(
    learn: Adapt, expose: Callable[..., Path]
):
    noisy, clean = ([expose(scene, sigma=each) for scene in range(3)] for each in (0.05, 0.001))
    outcome, said = learn(noisy, targets=clean)
    assert "scenes: 3, of 6 photos" in said
    assert outcome.choice.method.name == "pairs"
    # What the model leaves, and nothing else: the targets have no noise.
    assert outcome.gain.before < 0.5 * outcome.survey.sigma**2
    assert outcome.model is None


def test_what_is_adapted_already_is_no_start(learn: Adapt, shoot: Shoot, tmp_path: Path):
    folder = tmp_path / "adapted"
    folder.mkdir()
    metadata = {"architecture": "stabilized", "channels": 3, "stride": 1, "radius": 9}
    metadata |= {"name": "adapted", "summary": "Adapted"}
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    (folder / "config.json").write_text('{"architecture": "stabilized", "config": {}}', "utf-8")
    with pytest.raises(ModelError, match="learned from photos already"):
        learn(shoot("white"), base=str(folder))


def test_a_model_that_only_its_folder_finds_is_named_by_that(tmp_path: Path):
    named = find_model("perona_malik")
    assert find_source(named) == "perona_malik"
    copy = shutil.copytree(named.folder, tmp_path / "perona_malik")
    assert find_source(find_model(str(copy))) == copy.as_posix()
