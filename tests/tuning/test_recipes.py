from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.training.optimization import (
    SgdSettings,
    WarmupStableDecaySettings,
    make_optimizer,
)
from kerasdenoise.training.recipe import parse_recipe
from kerasdenoise.tuning.recipes import Frame, make_recipe
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
