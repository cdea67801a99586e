from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import _sampler, train
from kerasdenoise.training.tasks import build_task
from kerasdenoise.training.tasks.contrast_search import CONTRASTS, find_contrast, try_contrasts

CLASSICAL = {"architecture": '"perona_malik"', "config": '{ preset = "classical" }'}


def _build(**values: object) -> keras.Model:
    config = make_config("perona_malik", {"preset": "classical", "channels": 1, **values})
    return get_architecture("perona_malik").build(config)


@pytest.fixture(scope="module")
def steps() -> np.ndarray:
    """Clean images with a step of 0.1, 0.3 and 0.9 each."""
    clean = np.zeros((3, 20, 20, 1), np.float32)
    clean[:, :, 10:] = np.array([0.1, 0.3, 0.9], np.float32).reshape(3, 1, 1, 1)
    return clean


def _noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    return clean + sigma * np.random.default_rng(0).normal(size=clean.shape).astype(np.float32)


def test_each_contrast_is_tried_on_each_image(steps: np.ndarray):
    network = _build()
    noisy = _noisy(steps, 0.05)
    errors = try_contrasts(network, noisy, steps)
    assert find_contrast(network).numpy() == pytest.approx(25 / 255)
    for index in (0, 17, 40):
        find_contrast(network).assign([CONTRASTS[index]])
        denoised = np.clip(network(noisy), 0, 1)
        expected = np.square(denoised - steps).mean(axis=(1, 2, 3))
        np.testing.assert_allclose(errors[index], expected, rtol=1e-4)


def test_more_noise_wants_more_contrast(steps: np.ndarray):
    network = _build()
    low, high = (
        try_contrasts(network, _noisy(steps, sigma), steps).argmin(axis=0) for sigma in (0.02, 0.1)
    )
    assert (high > low).all()
    assert 0 < low.min() < high.max() < 40


@pytest.mark.parametrize(
    "values", [{"scope": "global"}, {"scope": "image"}, {"border": True}, {"shared": False}]
)
def test_other_networks_have_none_to_search_for(values: dict[str, object]):
    with pytest.raises(RecipeError, match="single fixed contrast"):
        find_contrast(_build(**values))


def test_a_run_finds_the_highest_mean_and_goes_on_where_it_stopped(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    text = recipe_text(**CLASSICAL, steps='4\nobjective = "mean_optimal"', interval="2")
    recipe = parse_recipe(text)
    stopped = train(recipe, tmp_path / "run", photos, stop_at=2)
    assert stopped is not None
    train(recipe, tmp_path / "run", photos)
    _, network = load_run(tmp_path / "run")

    task = build_task(recipe)
    sampler = _sampler(recipe, photos)
    errors = []
    for step in range(4):
        compared = task(sampler.batch_of(step))
        errors.append(try_contrasts(task.denoiser, compared["inputs"], compared["target"]))
    psnr = -10 * np.log10(np.concatenate(errors, axis=1))
    assert psnr.shape == (41, 16)
    best = CONTRASTS[psnr.mean(axis=1).argmax()]
    assert best not in (CONTRASTS[0], CONTRASTS[-1])
    assert find_contrast(network).numpy().item() == pytest.approx(best)


def test_an_image_without_noise_spoils_nothing(recipe_text: Callable[..., str], steps: np.ndarray):
    text = recipe_text(**CLASSICAL, kind='"poisson:30"', steps='4\nobjective = "mean_optimal"')
    task = build_task(parse_recipe(text))
    clean = np.tile(steps, (1, 2, 2, 3))[:, :32, :32]
    task.train_on_batch(np.concatenate([clean, np.zeros_like(clean)]))  # no photon, no noise
    assert np.isfinite(task.scores).all()
    assert CONTRASTS[0] < find_contrast(task.denoiser).numpy() < CONTRASTS[-1]
