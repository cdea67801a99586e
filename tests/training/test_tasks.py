from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from scipy import ndimage

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import LOSSES, MEAN_SEEKING, get_loss
from kerasdenoise.models import get_architecture
from kerasdenoise.noise import KINDS, Gaussian, Mixture, Noise, parse_noise
from kerasdenoise.tensors import Tensor
from kerasdenoise.training import tasks
from kerasdenoise.training.noise_level import give_inputs, measure_noise
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.tasks import TASKS, Task, build_task, find_task
from kerasdenoise.training.tasks.checkerboard import Checkerboard
from kerasdenoise.training.tasks.detail import Detail
from kerasdenoise.training.tasks.diffusion import Diffusion
from kerasdenoise.training.tasks.neighbor2neighbor import Neighbor2Neighbor
from kerasdenoise.training.tasks.noise2noise import Noise2Noise
from kerasdenoise.training.tasks.pairs import Pairs
from kerasdenoise.training.tasks.supervised import Supervised
from kerasdenoise.training.tasks.task import Example
from kerasdenoise.training.tasks.zero_shot import ZeroShot

# Those that differ by what they draw alone.
DRAWING = {
    task.objective: task
    for task in TASKS
    # Two need networks of their own, and four make smaller images of what they are given.
    if task.__init__ is Task.__init__
    and task not in (Diffusion, Detail, Neighbor2Neighbor, ZeroShot, Checkerboard, Pairs)
}
UNBIASED = [
    "gaussian:25",
    "gaussian:0-55",
    "poisson:5.5",
    "poisson:shot:30",
    "poisson:halved",
    "own",
]
BIASED = [
    "camera",
    "compressed:25",
    "poisson:additive",
    "film",
    "speckle",
    "salt_and_pepper",
    "blur",
    "inpainting",
    "pixelate",
]


def pair(
    name: str, clean: np.ndarray, text: str = "gaussian:0-55"
) -> tuple[np.ndarray, np.ndarray]:
    images = keras.Input((None, None, clean.shape[-1]))
    network = keras.Model(images, keras.layers.Conv2D(1, 1)(images))
    task = DRAWING[name](network, parse_noise(text), get_loss("l1"), clean.shape[1], 0)
    example = task.draw(clean)
    return tuple(keras.ops.convert_to_numpy(images) for images in example[:2])  # pyright: ignore


def test_tasks_that_draw_are_tried():
    assert list(DRAWING) == ["supervised", "exposures", "noise2noise", "noise2vst", "border"]


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("shape", [(1, 5, 7, 1), (3, 16, 8, 3)])
def test_input_and_target_are_shaped_as_the_images(name: str, shape: tuple[int, ...]):
    for images in pair(name, np.full(shape, 0.5, np.float32)):
        assert (images.shape, images.dtype) == (shape, np.float32)


def test_supervised_compares_with_the_clean_image():
    clean = np.full((2, 8, 8, 3), 0.5, np.float32)
    noisy, target = pair("supervised", clean)
    np.testing.assert_array_equal(target, clean)
    assert not np.array_equal(noisy, clean)


def test_exposures_leave_what_many_pixels_have_in_common():
    clean = np.full((2, 64, 64, 3), 0.5, np.float32)
    noisy, target = pair("exposures", clean)
    noise = noisy - clean
    expected = ndimage.gaussian_filter(noise, (0, 12, 12, 0), mode="wrap")
    np.testing.assert_allclose(target - clean, expected, atol=1e-4)
    assert noise.std() > 20 * expected.std()


def test_exposures_are_of_what_clipping_leaves():
    clean = np.full((2, 64, 64, 3), 0.95, np.float32)
    noisy, target = pair("exposures", clean, "speckle:0.2")
    assert target.mean() == pytest.approx(noisy.mean(), abs=1e-4)


def test_supervised_compares_with_the_mean_of_clipped_noise():
    clean = np.full((2, 64, 64, 3), 0.95, np.float32)
    noisy, target = pair("supervised", clean, "speckle:0.2")
    assert clean.mean() - target.mean() > 0.1
    assert target.mean() == pytest.approx(noisy.mean(), abs=0.01)


@pytest.mark.parametrize("text", ["gaussian:25", "poisson:5.5", "salt_and_pepper:0.3"])
def test_noise2noise_draws_twice_independently(text: str):
    clean = np.full((4, 128, 128, 3), 0.5, np.float32)
    added = [images - clean for images in pair("noise2noise", clean, text)]
    correlation = np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]
    assert abs(correlation) < 5 / np.sqrt(clean.size)
    assert added[0].std() == pytest.approx(added[1].std(), rel=0.02)
    assert added[0].std() > 0.05


def test_noise2noise_draws_the_level_of_each_image_twice():
    clean = np.zeros((300, 16, 16, 1), np.float32)
    levels = [images.std(axis=(1, 2, 3)) for images in pair("noise2noise", clean)]
    assert abs(np.corrcoef(*levels)[0, 1]) < 5 / np.sqrt(300)


@pytest.fixture
def check(recipe_text: Callable[..., str]) -> Callable[[str, Noise, str], None]:
    """Has a task check a recipe with this noise and loss."""

    def act(objective: str, noise: Noise, loss: str) -> None:
        options = f'6\nobjective = "{objective}"\nloss = "{loss}"'
        recipe = parse_recipe(recipe_text(steps=options))
        find_task(recipe).check(recipe, noise)

    return act


@pytest.mark.parametrize("text", BIASED)
@pytest.mark.parametrize("loss", sorted(MEAN_SEEKING))
def test_noise_that_shifts_the_mean_is_refused(
    check: Callable[[str, Noise, str], None], text: str, loss: str
):
    noise = Mixture([Gaussian(), parse_noise(text)], (1, 1))
    kind = text.partition(":")[0]
    for refused in (noise, parse_noise(text)):
        with pytest.raises(RecipeError) as caught:
            check("noise2noise", refused, loss)
        said = str(caught.value)
        assert re.search(f"objective 'noise2noise': .*loss '{loss}'.*mean.*{kind} noise", said)
        assert re.search('; .*loss = "l1".*median.*objective = "supervised"', said)


@pytest.mark.parametrize("loss", LOSSES)
def test_all_else_is_accepted(check: Callable[[str, Noise, str], None], loss: str):
    assert {text.partition(":")[0] for text in UNBIASED + BIASED} == set(KINDS)
    for text in UNBIASED:
        check("noise2noise", parse_noise(text), loss)
    for text in BIASED:
        check("supervised", parse_noise(text), loss)
        if loss not in MEAN_SEEKING:
            check("noise2noise", parse_noise(text), loss)


SIGMA = 0.15
SIDE = 24


def smooth_images() -> np.ndarray:
    """Around zero, where a filter without bias learns fast."""
    white = np.random.default_rng(0).normal(size=(16, SIDE, SIDE, 1))
    smooth = ndimage.gaussian_filter(white, 1.0, axes=(1, 2))
    return (0.15 * smooth / smooth.std()).astype(np.float32)


def neighborhoods(images: np.ndarray) -> np.ndarray:
    """The 3x3 pixels around each, zero beyond the borders: (pixels, 9)."""
    padded = np.pad(images[..., 0], ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, y : y + SIDE, x : x + SIDE] for y in range(3) for x in range(3)]
    return np.stack(shifted, axis=-1).reshape(-1, 9).astype(np.float64)


@pytest.mark.parametrize("name", ["supervised", "noise2noise"])
def test_a_linear_filter_learns_the_best_one(name: str):
    """The best 3x3 filter for white noise is known: that of Wiener."""
    clean = smooth_images()
    around, within = neighborhoods(clean), neighborhoods(np.ones_like(clean))
    power = around.T @ around + np.diag(SIGMA**2 * within.sum(axis=0))
    best = np.linalg.solve(power, around.T @ clean.reshape(-1))
    assert best[4] < 0.4  # far from passing the noise through

    keras.utils.set_random_seed(0)
    images = keras.Input((SIDE, SIDE, 1))
    filtered = keras.layers.Conv2D(1, 3, padding="same", use_bias=False)(images)
    task = DRAWING[name](
        keras.Model(images, filtered), Gaussian(SIGMA, SIGMA), get_loss("l2"), SIDE, seed=0
    )
    rate = keras.optimizers.schedules.CosineDecay(0.03, 200)
    task.compile(optimizer=keras.optimizers.Adam(rate), jit_compile=False)
    for _ in range(200):
        task.train_on_batch(clean)
    learned = keras.ops.convert_to_numpy(task.denoiser.layers[-1].kernel).ravel()
    np.testing.assert_allclose(learned, best, atol=0.02)


def test_borders_are_where_neighbors_differ():
    clean = np.full((1, 4, 5, 3), 0.5, np.float32)
    clean[0, 1:, 2:, 1] = 0.65  # one channel is enough
    clean[0, 3, 0] = 0.58  # too little
    expected = np.zeros((4, 5), np.float32)
    expected[0, 2:] = expected[1:, 1] = 1
    _, target = pair("border", clean)
    np.testing.assert_array_equal(target[0], np.repeat(expected[..., np.newaxis], 3, axis=2))


def test_the_truth_is_the_clean_image_or_its_borders():
    clean = smooth_images() + 0.5
    np.testing.assert_array_equal(Noise2Noise.find_truth(clean), clean)
    np.testing.assert_array_equal(DRAWING["border"].find_truth(clean), pair("border", clean)[1])


def test_a_task_of_ones_own_needs_a_name_and_what_it_draws(
    recipe_text: Callable[..., str], monkeypatch: pytest.MonkeyPatch
):
    """What docs/adding-a-training-task.md says."""

    class Doubled(Supervised):
        objective = "doubled"

        def draw(self, clean: Tensor) -> Example:
            noisy, target, mean = super().draw(clean)
            return Example(noisy, 2 * target, mean)

    monkeypatch.setattr(tasks, "TASKS", (*TASKS, Doubled))
    task = build_task(parse_recipe(recipe_text(steps='6\nobjective = "doubled"')))
    clean = np.full((4, 48, 48, 3), 0.25, np.float32)
    np.testing.assert_allclose(task(clean)["target"], 0.5, atol=1e-6)
    assert np.isfinite(task.train_on_batch(clean))


CLEAN = np.random.default_rng(0).random((6, 24, 24, 1), np.float32)


def _task(denoiser: keras.Model, **options: Any) -> Supervised:
    task = Supervised(denoiser, Gaussian(0.1, 0.3), get_loss("l2"), 16, 0, **options)
    task.compile(optimizer=keras.optimizers.SGD(1.0), jit_compile=False)
    return task


def _scale(**options: Any) -> keras.Model:
    """One factor for the whole image: the simplest network there is."""
    noisy = keras.Input((None, None, 1), name="noisy")
    ones = keras.initializers.Constant(1.5)
    scale = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer=ones, **options)
    return keras.Model(noisy, scale(noisy))


def test_the_noise_of_each_image_is_measured():
    levels = np.array([0.0, 0.05, 0.2], np.float32).reshape(3, 1, 1, 1)
    clean = np.zeros((3, 100, 100, 3), np.float32)
    noisy = clean + levels * np.random.default_rng(0).normal(size=clean.shape).astype(np.float32)
    np.testing.assert_allclose(measure_noise(noisy, clean), levels, rtol=0.01)


def test_a_network_that_takes_the_level_is_told_that_of_each_image():
    unet = get_architecture("unet")
    task = _task(unet.build(unet.Config(1, (4, 8), (1, 1), noise_level=True)))
    _, level = task(CLEAN)["inputs"]
    assert level.shape == (6, 16, 16, 1)
    told = np.asarray(level)
    np.testing.assert_array_equal(told, told[:, :1, :1] * np.ones_like(told))
    assert len(np.unique(told)) == 6
    assert 0.08 < told.min() < told.max() < 0.32
    assert np.isfinite(task.train_on_batch(CLEAN))


def test_another_network_is_not_told():
    network = _scale()
    assert give_inputs(network, CLEAN, None) is CLEAN


def test_weight_decay_adds_the_weights_to_their_gradients():
    plain, decayed = _task(_scale()), _task(_scale(), weight_decay=0.25)
    for task in (plain, decayed):
        task.train_on_batch(CLEAN)
    # The same noise, a rate of 1 and a weight of 1.5: the difference is the decay alone.
    difference = plain.denoiser.get_weights()[0] - decayed.denoiser.get_weights()[0]
    assert difference.item() == pytest.approx(0.25 * 1.5, rel=1e-4)


def test_penalties_of_layers_count():
    free, held = _task(_scale()), _task(_scale(kernel_regularizer=keras.regularizers.L2(0.125)))
    losses = [task.train_on_batch(CLEAN) for task in (free, held)]
    assert losses[1] - losses[0] == pytest.approx(0.125 * 1.5**2, rel=1e-4)
