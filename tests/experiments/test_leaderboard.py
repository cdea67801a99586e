"""The leaderboard: what is measured, how it is compared, and its page of whatever was run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import keras  # noqa: E402
from board.anchors import (  # noqa: E402
    EXAMPLE_SEED,
    TITLES,
    filter_gaussian,
    filter_median,
    load_validation,
    measure_anchors,
    stabilize,
    undo,
)
from board.diffusing import diffuse, diffuse_around, make_diffusion  # noqa: E402
from board.leaderboard_figures import compare, mark_borders, measure_all, measure_images  # noqa: E402
from board.leaderboard_page import verdict  # noqa: E402
from board.trials import FIRST, FUSIONS, NETWORKS, NOISES, list_trials  # noqa: E402
from common.records import Record  # noqa: E402
from common.trials import FULL, QUICK, Context, write_recipe  # noqa: E402
from leaderboard import BOARD  # noqa: E402

from kerasdenoise.evaluation.figures import add_noise  # noqa: E402
from kerasdenoise.models import list_architectures  # noqa: E402
from kerasdenoise.noise import Poisson, parse_noise  # noqa: E402
from kerasdenoise.training.recipe import parse_recipe  # noqa: E402
from kerasdenoise.training.tasks import find_task  # noqa: E402

RNG = np.random.default_rng(0)
TRIALS = {trial.name: trial for trial in list_trials()}


def test_every_architecture_that_denoises_is_there():
    there = {entry.architecture for entry in NETWORKS.values()}
    # Diffusion models learn from Gaussian noise alone, by a task of their own, and one of them on
    # the codes of an autoencoder, which denoises nothing.
    others = {"border_unet", "stabilized", "ddim", "latent_ddim", "autoencoder", "detail_ddim"}
    assert there == set(list_architectures()) - others


@pytest.mark.parametrize("mode", [QUICK, FULL])
def test_every_training_sees_as_many_images_and_can_begin(mode: str, tmp_path: Path):
    context = Context("leaderboard", tmp_path, tmp_path, mode)
    seen = set()
    for trial in TRIALS.values():
        if not trial.is_part_of(context):
            continue
        recipe = parse_recipe(write_recipe(trial, context))
        seen.add((recipe.optimization.steps, recipe.data.batch_size, recipe.data.patch_size))
        config = recipe.model.config
        assert recipe.data.patch_size % config.stride == 0
        find_task(recipe).check(recipe, parse_noise(trial.noise))
    assert len(seen) == 1


def test_quick_has_every_network_on_every_noise_and_every_fusion():
    quick = {name for name, trial in TRIALS.items() if trial.quick}
    assert {f"{name}_{noise}" for name in NETWORKS for noise in NOISES} | set(FUSIONS) <= quick
    assert {fusion.rival for fusion in FUSIONS.values()} <= quick


def test_the_difference_is_between_images_and_not_between_means():
    theirs = RNG.normal(25, 5, 200)
    ours = theirs + 0.1 + RNG.normal(0, 0.02, 200)
    mean, low, high = compare(ours.tolist(), theirs.tolist())
    assert 0.09 < low < mean < high < 0.11
    assert verdict((mean, low, high)) == "gains"
    assert verdict(compare(theirs.tolist(), ours.tolist())) == "loses"
    noise = (theirs + RNG.normal(0, 1, 200)).tolist()
    assert verdict(compare(noise, theirs.tolist())) == "no difference to be seen"


def test_fewer_images_are_compared_with_the_first_of_more():
    assert compare([1.0, 2.0], [0.5, 1.5, 100.0])[0] == pytest.approx(0.5)


def test_borders_and_smooth_parts_are_measured_apart():
    clean = np.zeros((3, 16, 16, 3), np.float32)
    clean[:, :, 8:] = 0.5
    borders = mark_borders(clean)
    assert borders[:, :, 7].all()
    assert borders.sum() == 3 * 16 * 3
    figures = measure_images(clean, np.where(borders, clean + 0.1, clean + 0.01))
    assert figures["border"] == pytest.approx(20, abs=1e-3)
    assert figures["smooth"] == pytest.approx(40, abs=1e-3)
    assert figures["border_share"] == pytest.approx(1 / 16)


def test_images_with_more_edges_are_in_the_last_third():
    clean = np.stack(
        [np.full((16, 16, 3), 0.5) + RNG.normal(0, s, (16, 16, 3)) for s in (0.2, 0, 0.1)]
    )
    denoised = clean + np.array([0.1, 0.001, 0.01])[:, np.newaxis, np.newaxis, np.newaxis]
    figures = measure_images(clean.astype(np.float32), denoised.astype(np.float32))
    assert figures["terciles"] == pytest.approx([60, 40, 20], abs=0.01)


def test_filters_do_what_they_are_called():
    image = np.zeros((1, 9, 9, 1), np.float32)
    image[0, 4, 4] = 1
    assert filter_median(image, 3).max() == 0
    blurred = filter_gaussian(image, 1.0)
    assert blurred.sum() == pytest.approx(1, abs=1e-5)
    assert blurred[0, 4, 5, 0] / blurred[0, 4, 4, 0] == pytest.approx(np.exp(-0.5), rel=1e-5)
    ramp = np.tile(np.linspace(0, 1, 9, dtype=np.float32), (1, 9, 1))[..., np.newaxis]
    np.testing.assert_array_equal(filter_median(ramp, 1), ramp)


def test_stabilized_photons_have_one_level_and_come_back():
    clean = np.repeat(np.linspace(0.2, 0.9, 8, dtype=np.float32), 40_000).reshape(8, 200, 200, 1)
    noisy = keras.ops.convert_to_numpy(Poisson.parse("5.5")(clean, keras.random.SeedGenerator(0)))
    stable, level = stabilize(noisy, 5.5)
    np.testing.assert_allclose(stable.std(axis=(1, 2, 3)), level, rtol=0.05)
    # The mean of what was transformed is what a perfect denoiser gives.
    back = undo(stable.mean(axis=(1, 2, 3)), 5.5)
    np.testing.assert_allclose(back, clean[:, 0, 0, 0], atol=0.004)


def test_anchors_are_measured_and_the_oracle_is_the_best_diffusion(made_up_cifar10: Path):
    context = Context("leaderboard", made_up_cifar10, made_up_cifar10)
    figures = measure_anchors(context, {FIRST: NOISES[FIRST]}, 4)[FIRST]
    assert list(figures) == list(TITLES)
    assert figures["oracle"]["psnr"] >= figures["classical"]["psnr"] > figures["identity"]["psnr"]
    assert figures["identity"]["psnr"] == pytest.approx(20, abs=0.7)


def test_diffusion_around_a_network_that_does_nothing_is_diffusion(made_up_cifar10: Path):
    context = Context("leaderboard", made_up_cifar10, made_up_cifar10)
    known = np.tile(load_validation(context, 2), (2, 1, 1, 1))  # no tercile is empty
    example = add_noise(known, NOISES[FIRST][1], EXAMPLE_SEED)
    figures = diffuse_around(_make_identity(), example, known, example, known)
    # What comes out of a network is clipped, what goes into it is not.
    for key, images in {"before": example, "after": np.clip(example, 0, 1)}.items():
        diffused = diffuse(make_diffusion(), figures[key]["chosen"], images)
        expected = measure_images(known, np.clip(diffused, 0, 1))["psnr"]
        assert figures[key]["psnr"] == pytest.approx(expected)
        assert figures[key]["psnr"] > figures["as it is"]["psnr"] + 1


def _make_identity() -> keras.Model:
    return keras.Sequential([keras.Input((None, None, 3)), keras.layers.Identity()])


def _record(name: str, figures: dict) -> Record:
    return Record(name, name, QUICK, {}, 1, "made up", figures, 1.0, steps=10, batch=8,
                  full_steps=100, full_batch=8)  # fmt: skip


def test_the_page_shows_what_was_run_and_says_what_was_not(tmp_path: Path, made_up_cifar10: Path):
    assert "not run" in BOARD.write_page({}, tmp_path)
    context = Context("leaderboard", made_up_cifar10, tmp_path)
    trial = dataclasses.replace(TRIALS[f"lambda_7_{FIRST}"], images=4)
    figures = measure_all(_make_identity(), trial, context, NOISES)
    assert figures["psnr"] == pytest.approx(np.mean(figures["across"][FIRST]), abs=1e-3)
    names = [f"lambda_7_{FIRST}", f"lambda_7_{FIRST}_noise2noise", f"diffusion_{FIRST}"]
    records = {name: _record(name, figures) for name in [*names, "fusion_lambda"]}
    anchors = {noise: dict.fromkeys(TITLES, figures) for noise in NOISES}
    records["anchors"] = _record("anchors", anchors)
    joined = {key: figures | {"chosen": 0.02} for key in ("as it is", "before", "after")}
    records["diffused"] = _record("diffused", {"unet": joined})
    page = BOARD.write_page(records, tmp_path)
    assert "| diffusion before U-Net | " in page
    longer = dataclasses.replace(records["fusion_lambda"], steps=20)
    assert "other steps" not in page
    assert "other steps" in BOARD.write_page(records | {"fusion_lambda": longer}, tmp_path)
    assert f"{figures['psnr']:.2f}<br>partial: 10 x 8" in page
    assert "no difference to be seen" in page
    assert "nan" not in page
    assert {file.name for file in tmp_path.glob("*.png")} == {
        "ranking.png", "places.png", "across.png"
    }  # fmt: skip
