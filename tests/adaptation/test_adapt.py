"""`adapt` around classical diffusion, which learns in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise import Denoiser
from kerasdenoise.adaptation.adapt import PICTURE, Outcome, adapt
from kerasdenoise.adaptation.methods import METHODS
from kerasdenoise.adaptation.methods.method import Method
from kerasdenoise.adaptation.methods.quick import Quick
from kerasdenoise.errors import ModelError, RecipeError, UsageError
from kerasdenoise.images.read import read_image
from kerasdenoise.training.run import Progress

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
    assert "| Adapted from | `perona_malik`, by the method `quick` |" in card
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


def test_what_is_adapted_already_is_no_start(learn: Adapt, shoot: Shoot, tmp_path: Path):
    folder = tmp_path / "adapted"
    folder.mkdir()
    metadata = {"architecture": "stabilized", "channels": 3, "stride": 1, "radius": 9}
    metadata |= {"name": "adapted", "summary": "Adapted"}
    (folder / "metadata.json").write_text(json.dumps(metadata), "utf-8")
    (folder / "config.json").write_text('{"architecture": "stabilized", "config": {}}', "utf-8")
    with pytest.raises(ModelError, match="learned from photos already"):
        learn(shoot("white"), base=str(folder))
