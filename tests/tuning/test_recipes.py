from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasdenoise.models import get_architecture, list_architectures, make_config
from kerasdenoise.training.optimization import (
    SgdSettings,
    WarmupStableDecaySettings,
    make_optimizer,
)
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.tuning.data import Data
from kerasdenoise.tuning.recipes import Frame, make_default_recipe, make_recipe
from kerasdenoise.tuning.study import Study

FRAME = Frame(patch=32, crop=32, images=4, compute=8 * 2048 * 3e4)


def test_a_recipe_has_what_the_space_and_the_trial_say(make_study: Callable[..., Study]):
    study = make_study(noise=("gaussian:10", "speckle:0.1"))
    values = {"optimization": {"optimizer": "sgd", "learning_rate": 0.1}, "config": {"width": 6}}
    recipe = parse_recipe(make_recipe(study, FRAME, values))
    assert recipe.model.config == make_config("dncnn", {"preset": "tiny", "width": 6})
    assert recipe.optimization.optimizer == SgdSettings()
    assert recipe.optimization.learning_rate == 0.1
    assert recipe.optimization.steps == 8
    assert recipe.optimization.schedule == WarmupStableDecaySettings(warmup_steps=1)
    assert (recipe.data.patch_size, recipe.data.batch_size) == (32, 2)
    assert [noise.text for noise in recipe.mixture.noises] == ["gaussian:10", "speckle:0.1"]
    assert recipe.validation.noises == recipe.mixture.noises
    assert recipe.validation.interval == 2


@pytest.mark.parametrize("steps", [400, 40_000])
def test_an_exponential_schedule_has_fifty_epochs_however_many_steps(
    make_study: Callable[..., Study], steps: int
):
    study = make_study(steps=400)
    text = make_recipe(
        study, FRAME, {"optimization": {"schedule": "exponential", "learning_rate": 0.001}}
    )
    plan = parse_recipe(text.replace("steps = 400", f"steps = {steps}")).optimization
    rate: Any = make_optimizer(plan)._learning_rate
    assert float(rate(steps - 1)) == pytest.approx(0.001 * 0.99**49, rel=1e-4)


def test_at_equal_compute_what_computes_more_gets_fewer_steps(make_study: Callable[..., Study]):
    from kerasdenoise.models import mac_per_pixel

    study = make_study(equal="compute")
    module = get_architecture("dncnn")
    products = []
    for width, batch in ((4, 2), (4, 4), (8, 2)):
        values = {"config": {"width": width}, "data": {"batch_size": batch}}
        recipe = parse_recipe(make_recipe(study, FRAME, values))
        mac = mac_per_pixel(module.build(module.Config(depth=4, width=width)), 1)
        products.append(recipe.optimization.steps * mac * batch * 32**2)
    assert products == pytest.approx([FRAME.compute] * 3, rel=0.02)


@pytest.mark.parametrize("architecture", list_architectures())
def test_each_architecture_has_a_recipe_of_its_own(architecture: str, tmp_path: Path):
    np.savez(tmp_path / "images.npz", all=np.zeros((2, 32, 32, 3), np.uint8))
    source = f"{tmp_path.as_posix()}/images.npz:all"
    data = Data((source,), (source,), (), "none", "made up")
    text = make_default_recipe(architecture, data, noise=["gaussian:20"], steps=100)
    recipe = parse_recipe(text)
    assert (recipe.name, recipe.model.architecture) == (architecture, architecture)
    assert (recipe.optimization.steps, recipe.validation.interval) == (100, 50)
    assert [each.text for each in recipe.mixture.noises] == ["gaussian:20"]
    assert recipe.data.patch_size == 32
