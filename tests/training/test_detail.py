from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.models import get_parts
from kerasdenoise.models._parts import find_detail
from kerasdenoise.models.ddim import PREDICTOR
from kerasdenoise.models.detail_ddim import FAINT, scale_of
from kerasdenoise.training.network import load_run
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.training.run import train
from kerasdenoise.training.tasks import build_task

LEVEL = '{ preset = "tiny", estimates_level = true }'
STEPS = '{}\nobjective = "detail"\nloss = "l2"\nlearning_rate = 5e-3'


def _numpy(tensor: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(tensor))


@pytest.fixture(scope="module")
def mean(recipe_text: Callable[..., str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a denoiser."""
    folder = tmp_path_factory.mktemp("runs") / "mean"
    recipe = parse_recipe(recipe_text(config=LEVEL, steps="2"))
    train(recipe, folder, Path(recipe.data.root))
    return folder


@pytest.fixture
def text(recipe_text: Callable[..., str], mean: Path) -> Callable[..., str]:
    """The recipe of what adds detail to that denoiser, with some lines changed."""
    source = mean.as_posix()
    weights = f'{{ noise_level = "{source}", tile = "{source}" }}'

    def write(steps: str = "6", **changes: str) -> str:
        model = f'"detail_ddim"\npart_weights = {weights}'
        return recipe_text(**{"architecture": model, "steps": STEPS.format(steps), **changes})

    return write


def test_detail_and_noise_are_mixed_at_all_angles(text: Callable[..., str]):
    task = build_task(parse_recipe(text()))
    seen = []
    task._predictor = lambda given, training: seen.extend(given) or given[0]
    target = _numpy(task(np.full((64, 48, 48, 3), 0.5, np.float32))["target"])
    mixed, _, level, mean, angle = map(_numpy, seen)
    assert (angle == angle[:, :1, :1]).all()
    shares = np.histogram(angle[:, 0, 0, 0], bins=2, range=(0, np.pi / 2))[0] / 64
    np.testing.assert_allclose(shares, 0.5, atol=0.2)
    noise = np.sin(angle) * mixed + np.cos(angle) * target
    assert (noise.mean(), noise.std()) == pytest.approx((0, 1), abs=0.02)
    detail = np.cos(angle) * mixed - np.sin(angle) * target
    clean = mean + detail * _numpy(scale_of(np.maximum(level, FAINT)))
    np.testing.assert_allclose(clean, 0.5, atol=0.03)  # in the tone of the noisy picture


def test_a_perfect_prediction_costs_nothing(text: Callable[..., str]):
    task = build_task(parse_recipe(text()))
    seen = task(np.full((4, 48, 48, 3), 0.5, np.float32))
    assert float(task.compare({**seen, "denoised": seen["target"]})) == 0
    assert float(task.compare(seen)) > 0.1


def test_it_trains_detail_alone(text: Callable[..., str], mean: Path, photos: Path, tmp_path: Path):
    train(parse_recipe(text("2")), tmp_path, photos)
    network, given = load_run(tmp_path)[1], load_run(mean)[1]
    for part in ("noise_level", "tile"):
        pairs = zip(
            network.get_layer(part).get_weights(), given.get_layer(part).get_weights(), strict=True
        )
        assert all(np.array_equal(one, other) for one, other in pairs)
    tail = find_detail(network).get_layer(PREDICTOR).get_layer("detail_tail")
    assert tail.get_weights()[0].any()
    assert get_parts(network).tile is network.get_layer("tile")


def test_other_networks_and_losses_are_refused(text: Callable[..., str]):
    with pytest.raises(RecipeError, match=r'in unet.*"detail_ddim"'):
        build_task(parse_recipe(text(architecture='"unet"')))
    with pytest.raises(RecipeError, match=r'loss \'psnr\'.*"l2"'):
        build_task(parse_recipe(text().replace('"l2"', '"psnr"')))


def test_without_the_weights_of_a_denoiser_it_is_refused(
    text: Callable[..., str], photos: Path, tmp_path: Path
):
    with pytest.raises(RecipeError, match=r"part '(tile|noise_level)'.*part_weights"):
        train(parse_recipe(text(architecture='"detail_ddim"')), tmp_path, photos)
