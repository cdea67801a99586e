"""Input and target of one noisy image: hidden pixels, and pairs of neighbors."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from scipy import ndimage

from kerasdenoise.errors import RecipeError
from kerasdenoise.losses import get_loss
from kerasdenoise.models.dncnn import Config, build
from kerasdenoise.noise import Own
from kerasdenoise.noise.own import Reach
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.tasks import build_task
from kerasdenoise.training.tasks.checkerboard import Checkerboard
from kerasdenoise.training.tasks.neighbor2neighbor import Neighbor2Neighbor, pick_neighbors
from kerasdenoise.training.tasks.pairs import Pairs
from kerasdenoise.training.tasks.self_supervised import SelfSupervised, hide_pixels
from kerasdenoise.training.tasks.zero_shot import ZeroShot, average_diagonals

SIDE = 48
# Values that say where they are.
PLACES = np.arange(SIDE**2, dtype=np.float32).reshape(1, SIDE, SIDE, 1)


def hide(noisy: np.ndarray, reach: Reach = (0, 0), seed: int = 0) -> list[np.ndarray]:
    found = hide_pixels(keras.ops.convert_to_tensor(noisy), keras.random.SeedGenerator(seed), reach)
    return [keras.ops.convert_to_numpy(each) for each in found]  # pyright: ignore


def test_a_hidden_pixel_is_the_mean_of_its_neighbors_by_hand():
    weights = np.array([[1, 2, 1], [2, 0, 2], [1, 2, 1]])
    seen, _, weight = hide(PLACES**1.1)
    inside = [(y, x) for y, x in np.argwhere(weight[0, ..., 0]) if 0 < min(y, x) < SIDE - 1]
    assert inside
    for y, x in inside:
        if max(y, x) < SIDE - 1:
            near = PLACES[0, y - 1 : y + 2, x - 1 : x + 2, 0] ** 1.1
            assert seen[0, y, x, 0] == pytest.approx((near * weights).sum() / 12, rel=1e-5)


@pytest.mark.parametrize("reach", [(0, 0), (2, 2), (None, 0), (0, None)])
def test_what_shares_its_noise_with_a_compared_pixel_is_not_seen(reach: Reach):
    _, _, weight = hide(PLACES, reach)
    for y, x in np.argwhere(weight[0, ..., 0])[:20]:
        changed = PLACES.copy()
        rows, columns = (
            slice(None) if far is None else slice(max(0, at - far), at + far + 1)
            for at, far in zip((y, x), reach, strict=True)
        )
        changed[:, rows, columns] += 7
        seen, before = hide(changed, reach)[0], hide(PLACES, reach)[0]
        assert abs(seen - before)[0, y, x] == pytest.approx(0, abs=1e-3)
        np.testing.assert_allclose(seen[0, rows, columns], before[0, rows, columns], atol=1e-3)


def test_every_pixel_is_compared_at_some_time():
    weights = [hide(PLACES, seed=seed)[2] for seed in range(80)]
    assert (np.sum(weights, axis=0) > 0).all()


def pick(images: np.ndarray, reach: Reach = (0, 0), seed: int = 0) -> list[np.ndarray]:
    found = pick_neighbors(
        keras.ops.convert_to_tensor(images), keras.random.SeedGenerator(seed), reach
    )
    return [keras.ops.convert_to_numpy(each)[0, ..., 0] for each in found]


@pytest.mark.parametrize(("reach", "apart"), [((0, 0), 1), ((1, 1), 2), ((2, 2), 3)])
def test_two_pixels_of_each_cell_lie_apart_as_far_as_needed(reach: Reach, apart: int):
    first, second = pick(PLACES, reach)
    assert first.shape == (SIDE // (2 * apart),) * 2
    differences = set(np.abs(first - second).ravel().tolist())
    assert differences == {apart, apart * SIDE}
    # Within one image too.
    rows = first // SIDE
    assert (np.diff(rows, axis=0) >= apart).all()


@pytest.mark.parametrize(("reach", "apart"), [((None, 0), 1), ((0, None), SIDE)])
def test_lines_stay_lines(reach: Reach, apart: int):
    for seed in range(4):
        first, second = pick(PLACES, reach, seed)
        assert set(np.abs(first - second).ravel().tolist()) == {apart}
        columns, rows = first % SIDE, first // SIDE
        lines = columns if reach[0] is None else rows.T
        assert (lines == lines[0]).all()


def test_the_means_of_diagonals_by_hand():
    image = np.array([[1.0, 2.0], [5.0, 9.0]], np.float32).reshape(1, 2, 2, 1)
    rising, falling = average_diagonals(keras.ops.convert_to_tensor(image))
    assert (float(rising[0, 0, 0, 0]), float(falling[0, 0, 0, 0])) == (3.5, 5.0)


def test_both_halves_of_a_checkerboard_have_all_pixels():
    generator = keras.random.SeedGenerator(0)
    split = Checkerboard.split(keras.ops.convert_to_tensor(PLACES), generator)
    black, white = (keras.ops.convert_to_numpy(each)[0, ..., 0] for each in split[:2])
    assert black.shape == (SIDE, SIDE // 2)
    assert {*black.ravel(), *white.ravel()} == set(PLACES.ravel())
    colors = (black // SIDE + black % SIDE) % 2
    assert np.ptp(colors) == 0
    assert (np.abs(black - white) == 1).all()


def test_a_pair_stands_in_the_channels_of_one_patch():
    both = np.concatenate([PLACES, PLACES + 1], axis=3)
    split = Pairs.split(keras.ops.convert_to_tensor(both), keras.random.SeedGenerator(0))
    np.testing.assert_array_equal(split.noisy, PLACES)
    np.testing.assert_array_equal(split.target, PLACES + 1)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """Dark and bright areas with soft borders (8, 48, 48, 1)."""
    white = np.random.default_rng(0).normal(size=(8, SIDE, SIDE, 1))
    smooth = ndimage.gaussian_filter(white, 5.0, axes=(1, 2))
    return (0.5 + 0.3 * np.tanh(2 * smooth / smooth.std())).astype(np.float32)


def train(
    noisy: np.ndarray,
    clean: np.ndarray,
    reach: Reach = (0, 0),
    steps: int = 80,
    kind: type[SelfSupervised] = Neighbor2Neighbor,
) -> tuple[float, float]:
    """Trains on noisy images alone; returns the true squared error before and after."""
    keras.utils.set_random_seed(0)
    network = build(Config(1, depth=3, width=16, activation="leaky_relu", normalization=False))
    task = kind(network, Own(reach), get_loss("l2"), SIDE, 0)
    task.compile(optimizer=keras.optimizers.Adam(0.01), jit_compile=False)
    for _ in range(steps):
        task.train_on_batch(noisy)
    denoised = keras.ops.convert_to_numpy(network(noisy))
    return float(np.square(noisy - clean).mean()), float(np.square(denoised - clean).mean())


@pytest.mark.parametrize("kind", [Neighbor2Neighbor, ZeroShot, Checkerboard])
def test_white_noise_is_learned(clean: np.ndarray, kind: type[SelfSupervised]):
    noisy = clean + np.random.default_rng(1).normal(0, 0.1, clean.shape)
    before, after = train(noisy.astype(np.float32), clean, kind=kind)
    assert after < 0.6 * before


def test_noise_of_columns_is_learned_if_it_is_known(clean: np.ndarray):
    columns = np.random.default_rng(1).normal(0, 0.1, (len(clean), 1, SIDE, 1))
    noisy = (clean + columns).astype(np.float32)
    before, after = train(noisy, clean, (None, 0))
    assert after < 0.8 * before
    _, after = train(noisy, clean, (0, 0))
    assert after > 0.9 * before


@pytest.mark.parametrize("kind", [Neighbor2Neighbor, ZeroShot, Checkerboard])
def test_noise_that_neighbors_share_is_kept_as_theory_says(
    clean: np.ndarray, kind: type[SelfSupervised]
):
    white = np.random.default_rng(1).normal(size=clean.shape)
    shared = ndimage.gaussian_filter(white, 2.0, axes=(1, 2))
    noisy = clean + 0.1 * shared / shared.std()
    before, after = train(noisy.astype(np.float32), clean, kind=kind)
    assert after > 0.9 * before


def test_sides_that_do_not_divide_are_refused(recipe_text: Callable[..., str]):
    text = recipe_text(
        kind='"own:2"',
        patch_size="32",
        steps='2\nobjective = "neighbor2neighbor"\nloss = "l2"',
        crop_size='64\nnoises = ["own:2"]',
    )
    with pytest.raises(RecipeError, match=r"patch_size 32: .*multiple of 24.*write 48"):
        build_task(parse_recipe(text))
