"""Noise2VST with classical diffusion as the denoiser, which trains in a moment."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from scipy import ndimage

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import get_loss
from kerasdenoise.models.stabilized import DENOISER, Config, build
from kerasdenoise.noise import Own
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.tasks import build_task
from kerasdenoise.training.tasks.noise2vst import Noise2VST
from kerasdenoise.training.tasks.self_supervised import CELL

SIDE = 32
PHOTONS = 12
MODEL = """{ architecture = "perona_malik", denoiser = { preset = "classical" } }
part_weights = { denoiser = "perona_malik" }"""


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """Dark and bright areas with soft borders (16, 32, 32, 1)."""
    white = np.random.default_rng(0).normal(size=(16, SIDE, SIDE, 1))
    smooth = ndimage.gaussian_filter(white, 5.0, axes=(1, 2))
    return (0.5 + 0.45 * np.tanh(4 * smooth / smooth.std())).astype(np.float32)


def split(noisy: np.ndarray, seed: int = 0) -> list[np.ndarray]:
    generator = keras.random.SeedGenerator(seed)
    example = Noise2VST.split(keras.ops.convert_to_tensor(noisy), generator)
    return [keras.ops.convert_to_numpy(each) for each in example]  # pyright: ignore


def test_pixels_are_hidden(clean: np.ndarray):
    seen, target, weight = split(clean)
    np.testing.assert_array_equal(target, clean)
    np.testing.assert_array_equal(seen[weight == 0], clean[weight == 0])
    assert weight.mean() == 1 / CELL**2


def train(noisy: np.ndarray, clean: np.ndarray) -> tuple[float, float]:
    """Trains on noisy images alone; returns the true error before and after."""
    keras.utils.set_random_seed(0)
    config = Config(
        1, "perona_malik", {"preset": "classical", "contrast": 0.3}, low=0.0, high=2.0, knots=16
    )
    network = build(config)
    network.get_layer(DENOISER).trainable = False
    task = Noise2VST(network, Own(), get_loss("l2"), SIDE, 0)
    task.compile(optimizer=keras.optimizers.Adam(0.05, beta_2=0.99), jit_compile=False)

    def error() -> float:
        return float(np.square(keras.ops.convert_to_numpy(network(noisy)) - clean).mean())

    before = error()
    for _ in range(30):
        task.train_on_batch(noisy)
    return before, error()


def test_noise_that_depends_on_brightness_is_learned(clean: np.ndarray):
    """The noise of photons, for which one contrast is too small where it is bright."""
    noisy = np.random.default_rng(1).poisson(PHOTONS * clean) / PHOTONS
    before, after = train(noisy.astype(np.float32), clean)
    assert after < 0.6 * before


def test_noise_that_neighbors_share_is_kept_as_theory_says(clean: np.ndarray):
    white = np.random.default_rng(1).normal(size=clean.shape)
    shared = ndimage.gaussian_filter(white, 1.5, axes=(1, 2))
    noisy = clean + 0.1 * shared / shared.std()
    before, after = train(noisy.astype(np.float32), clean)
    assert after > before


@pytest.fixture
def recipe(recipe_text: Callable[..., str]) -> Callable[..., str]:
    """A recipe of this task, with some lines changed."""

    def write(**changes: str) -> str:
        given = {
            "architecture": '"stabilized"',
            "config": MODEL,
            "kind": '"own"',
            "steps": '2\nobjective = "noise2vst"\nloss = "l2"',
            "crop_size": '64\nnoises = ["own"]',
        }
        return recipe_text(**given | changes)

    return write


def test_a_recipe_trains_the_curve_and_leaves_the_denoiser(recipe: Callable[..., str]):
    task = build_task(parse_recipe(recipe()))
    names = {weight.path for weight in task.trainable_variables}
    assert names == {"curve/log_slopes", "curve/start", "unbias/values"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": '"unet"', "config": "{ preset = 'tiny' }"}, "which architecture 'unet'"),
        ({"steps": '2\nobjective = "noise2vst"'}, 'loss = "l2"'),
        ({"steps": "2"}, "'supervised': needs clean photos.*'own'"),
    ],
)
def test_what_could_not_learn_is_refused(
    recipe: Callable[..., str], changes: dict[str, str], message: str
):
    with pytest.raises(RecipeError, match=message):
        build_task(parse_recipe(recipe(**changes)))
