from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.training.build import build_task, load_run
from kerasdenoise.training.contrast_search import CONTRASTS, best_contrasts, find_contrast
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train

CLASSICAL = {"architecture": '"perona_malik"', "config": '{ preset = "classical" }'}


def _build(**values: object) -> keras.Model:
    config = make_config("perona_malik", {"preset": "classical", "channels": 1, **values})
    return get_architecture("perona_malik").build(config)


@pytest.fixture(scope="module")
def steps() -> np.ndarray:
    """Clean images with a step of 0.1, 0.3 and 0.9 each."""
    clean = np.zeros((3, 20, 20, 1), np.float32)
    clean[:, :, 10:] = np.float32([0.1, 0.3, 0.9]).reshape(3, 1, 1, 1)
    return clean


def _noisy(clean: np.ndarray, sigma: float) -> np.ndarray:
    return clean + sigma * np.random.default_rng(0).normal(size=clean.shape).astype(np.float32)


def test_the_best_contrast_is_best_and_grows_with_the_noise(steps: np.ndarray):
    network = _build()
    before = network.get_weights()
    chosen = {}
    for sigma in (0.02, 0.1):
        noisy = _noisy(steps, sigma)
        chosen[sigma], errors = best_contrasts(network, noisy, steps)
        for image, (contrast, error) in enumerate(zip(chosen[sigma], errors, strict=True)):
            for other in (contrast, CONTRASTS[5], CONTRASTS[20], CONTRASTS[35]):
                find_contrast(network).assign([other])
                denoised = np.clip(network(noisy[image : image + 1]), 0, 1)
                squared = np.square(denoised - steps[image]).mean()
                assert squared >= error - 1e-8
                if other == contrast:
                    assert squared == pytest.approx(error, rel=1e-4)
        network.set_weights(before)
    assert (chosen[0.1] > chosen[0.02]).all()


def test_a_search_leaves_the_contrast_as_it_was(steps: np.ndarray):
    network = _build()
    best_contrasts(network, steps, steps)
    assert find_contrast(network).numpy() == pytest.approx(25 / 255)


@pytest.mark.parametrize(
    "values", [{"scope": "global"}, {"scope": "image"}, {"border": True}, {"shared": False}]
)
def test_other_networks_have_none_to_search_for(values: dict[str, object]):
    with pytest.raises(RecipeError, match="has no single fixed contrast"):
        find_contrast(_build(**values))


def test_a_run_sets_the_mean_over_all_images(
    recipe_text: Callable[..., str], photos: Path, tmp_path: Path
):
    text = recipe_text(**CLASSICAL, steps='4\nobjective = "mean_optimal"', interval="2")
    recipe = parse_recipe(text)
    stopped = train(recipe, tmp_path / "run", photos, stop_at=2)
    assert stopped is not None
    train(recipe, tmp_path / "run", photos)
    _, network = load_run(tmp_path / "run")
    found = find_contrast(network).numpy().item()

    task = build_task(recipe)
    from kerasdenoise.training.run import _sampler

    sampler = _sampler(recipe, photos)
    best = []
    for step in range(4):
        compared = task(sampler.batch_of(step))
        best += list(best_contrasts(task.denoiser, compared["inputs"], compared["target"])[0])
    assert len(best) == 16
    assert len(set(best)) > 1
    assert found == pytest.approx(np.mean(best), rel=1e-4)
