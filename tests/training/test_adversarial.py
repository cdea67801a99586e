from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from kerasdenoise.errors import RecipeError, UsageError
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import DiscriminatorSection, parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.tasks import build_task
from kerasdenoise.training.tasks.adversarial import (
    Adversarial,
    Discriminator,
    make_discriminator,
    measure_sharpness,
    show_again,
)

SMALL = DiscriminatorSection(widths=(6, 8), embedding=5, warmup_steps=3, weight=0.4)
SECTION = """
[discriminator]
widths = [6]
embedding = 4
{}
"""
RNG = np.random.default_rng(0)


def _patches() -> tuple[np.ndarray, np.ndarray]:
    """Grain, and the same smoothed."""
    clean = RNG.random((8, 16, 16, 3), np.float32)
    return clean, ndimage.gaussian_filter(clean, (0, 1, 1, 0)).astype(np.float32)


def _gradients(discriminator: Discriminator, part: str) -> tuple[list[Any], Any]:
    """Of a part of the verdict: by the discriminator's weights, and by the denoised patches."""
    clean, denoised = (tf.constant(each) for each in _patches())
    with tf.GradientTape() as tape:
        tape.watch(denoised)
        verdict = discriminator(clean, clean[:, :, ::-1], denoised, training=True)
        value = getattr(verdict, part)
    weights = [weight.value for weight in discriminator.trainable_variables]
    *own, through = tape.gradient(value, [*weights, denoised])
    return own, through


def test_the_denoiser_does_not_bend_the_discriminator():
    own, through = _gradients(Discriminator(SMALL, 3), "distance")
    assert own
    assert all(gradient is None for gradient in own)
    assert np.abs(through).max() > 0


def test_the_discriminator_does_not_bend_the_denoiser():
    own, through = _gradients(Discriminator(SMALL, 3), "loss")
    assert all(gradient is not None and np.any(gradient) for gradient in own)
    assert through is None


def test_the_discriminator_learns_to_tell_smooth_from_clean():
    keras.utils.set_random_seed(1)
    discriminator = Discriminator(SMALL, 3)
    optimizer = keras.optimizers.Adam(0.01)
    before = after = None
    for _ in range(40):
        clean, denoised = (tf.constant(each) for each in _patches())
        with tf.GradientTape() as tape:
            verdict = discriminator(clean, clean[:, :, ::-1], denoised, training=True)
        weights = [weight.value for weight in discriminator.trainable_variables]
        optimizer.apply(tape.gradient(verdict.loss, weights), discriminator.trainable_variables)
        before, after = before or verdict, verdict
    assert before is not None
    assert after is not None
    assert 0 <= after.near < after.far <= 4
    assert after.loss < 0.2 < before.loss
    assert after.far - after.near > 0.3


def test_its_weight_rises_in_the_warm_up_and_stays():
    discriminator = Discriminator(SMALL, 3)
    patches = [*_patches(), _patches()[0]]
    weights = []
    for _ in range(5):
        weights.append(float(discriminator.weight))
        discriminator(*patches, training=False)  # is not counted
        discriminator(*patches, training=True)
    np.testing.assert_allclose(weights, [0.1, 0.2, 0.3, 0.4, 0.4], rtol=1e-5)


def test_a_patch_is_shown_again_mirrored_or_not_and_with_other_contrast():
    clean = np.tile(np.linspace(0.2, 0.8, 6, dtype=np.float32)[:, np.newaxis], (64, 2, 1, 1))
    again = np.array(show_again(clean, keras.random.SeedGenerator(0)))
    gains = again.mean(axis=(1, 2, 3)) / clean.mean(axis=(1, 2, 3))
    mirrored = again[:, 0, 0, 0] > again[:, 0, -1, 0]
    assert 0.95 <= gains.min() < 0.98 < 1.02 < gains.max() <= 1.05
    assert 16 < mirrored.sum() < 48
    straight = np.where(mirrored[:, None, None, None], again[:, :, ::-1], again)
    np.testing.assert_allclose(straight, gains[:, None, None, None] * clean, rtol=1e-5)


def test_sharpness_is_the_share_of_differences_that_is_left():
    clean, smooth = _patches()
    assert float(measure_sharpness(clean, clean)) == pytest.approx(1, rel=1e-4)
    assert float(measure_sharpness(clean, 0.5 * clean + 0.2)) == pytest.approx(0.5, rel=1e-4)
    assert float(measure_sharpness(clean, smooth)) < 0.4


@pytest.fixture
def text(recipe_text: Callable[..., str]) -> Callable[[str], str]:
    """The recipe of an adversarial run, with further lines in `[discriminator]`."""
    objective = '6\nobjective = "adversarial"\nglobal_clipnorm = 0.0'
    return lambda lines="": recipe_text(steps=objective) + SECTION.format(lines)


def test_without_weight_the_denoiser_learns_as_without_a_discriminator(
    text: Callable[[str], str],
):
    kept = text("weight = 0.0")
    plain = kept.partition("[discriminator]")[0].replace("adversarial", "supervised")
    clean = RNG.random((4, 48, 48, 3), np.float32)
    with_one, without = (build_task(parse_recipe(each)) for each in (kept, plain))
    without.denoiser.set_weights(with_one.denoiser.get_weights())
    without.seed_generator.state.assign(with_one.seed_generator.state)
    for task in (with_one, without):
        task.train_on_batch(clean)
    learned = (task.denoiser.get_weights() for task in (with_one, without))
    for one, other in zip(*learned, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_run_logs_distances_and_resumes_both_networks(
    text: Callable[[str], str], photos: Path, tmp_path: Path
):
    recipe = parse_recipe(text("warmup_steps = 50"))
    train(recipe, tmp_path, photos, stop_at=3)
    with np.load(tmp_path / "checkpoint.npz") as kept:
        (steps,) = (kept[name] for name in kept if name.endswith("discriminator/steps"))
        assert steps == 3
        assert any("discriminator" in name and "conv_0" in name for name in kept)
    last = train(recipe, tmp_path, photos)
    assert last is not None
    assert set(last.figures) == set(Adversarial.figures)
    entries = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert entries[-1]["figures"] == last.figures
    assert {layer.name for layer in load_run(tmp_path)[1].layers}.isdisjoint({"encoder"})


def test_a_discriminator_is_refused_where_no_task_has_one(recipe_text: Callable[..., str]):
    recipe = parse_recipe(recipe_text() + SECTION.format(""))
    with pytest.raises(RecipeError, match=r"\[discriminator\]: .*'supervised'; .*adversarial"):
        build_task(recipe)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("margin = 4.0", "margin.*less than 4"),
        ("weight = -0.1", r"weight.*0(\.0)? or more"),
        ("widths = []", "widths"),
        ("depth = 3", "depth"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(
    recipe_text: Callable[..., str], line: str, message: str
):
    lines = SECTION.format(line).replace("widths = [6]\n", "") if "widths" in line else None
    with pytest.raises(UsageError, match=message):
        parse_recipe(recipe_text() + (lines or SECTION.format(line)))


def test_a_file_that_is_no_resnet50_is_refused(text: Callable[[str], str], tmp_path: Path):
    recipe = parse_recipe(text(f'resnet50 = "{(tmp_path / "none.h5").as_posix()}"'))
    with pytest.raises(RecipeError, match=r"resnet50 = .*none\.h5.*ResNet50"):
        make_discriminator(recipe)


def test_a_resnet50_is_not_for_gray(recipe_text: Callable[..., str]):
    section = SECTION.format('resnet50 = "any"')
    text = recipe_text(config='{ preset = "tiny", channels = 1 }') + section
    with pytest.raises(RecipeError, match=r"resnet50 = 'any'.*colors"):
        make_discriminator(parse_recipe(text))


def test_of_a_resnet50_only_the_last_blocks_learn(
    monkeypatch: pytest.MonkeyPatch, text: Callable[[str], str], tmp_path: Path
):
    def small(include_top: bool, weights: str) -> keras.Model:
        assert not include_top
        images = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(4, 3, name="conv4_block6_out")(images)
        x = keras.layers.Conv2D(4, 3, name="conv5_block1_out")(x)
        trunk = keras.Model(images, keras.layers.Conv2D(6, 3, name="conv5_block2_out")(x))
        trunk.load_weights(weights)
        return trunk

    file = tmp_path / "resnet.weights.h5"
    monkeypatch.setattr(keras.Model, "load_weights", lambda self, path: None)
    monkeypatch.setattr(keras.applications, "ResNet50", small)
    file.write_bytes(b"")
    discriminator = make_discriminator(parse_recipe(text(f'resnet50 = "{file.as_posix()}"')))
    learned = {weight.path.split("/")[-2] for weight in discriminator.trainable_variables}
    assert learned == {"conv5_block1_out", "conv5_block2_out", "embedding"}
    verdict = discriminator(*_patches(), _patches()[0], training=True)
    assert all(np.isfinite(value) for value in verdict)
