from __future__ import annotations

from pathlib import Path

import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import short_trainings  # noqa: E402
from common.records import Record  # noqa: E402
from common.trials import FULL, Context, write_recipe  # noqa: E402

from kerasdenoise.models import get_architecture  # noqa: E402
from kerasdenoise.training.recipe import parse_recipe  # noqa: E402


@pytest.mark.parametrize("name", short_trainings.TRIALS)
def test_every_trial_has_a_recipe_with_the_steps_that_fit(
    name: str, made_up_cifar10: Path, tmp_path: Path
):
    context = Context("short_trainings", made_up_cifar10, tmp_path, FULL)
    context.runs.mkdir(parents=True)
    assert short_trainings.find_steps(name, context).full.steps == 1
    assert short_trainings.read_record(name, context) is None
    (context.runs / f"{name}_steps.txt").write_text("120", "utf-8")
    trial = short_trainings.find_steps(name, context)
    recipe = parse_recipe(write_recipe(trial, context))
    assert recipe.optimization.steps == 120
    assert recipe.optimization.ema_momentum == 0.99
    assert isinstance(recipe.model.config, get_architecture(recipe.model.architecture).Config)
    assert set(trial.parts.values()) <= set(short_trainings.TRIALS)


def test_the_page_has_a_row_for_each_and_the_oracle(tmp_path: Path):
    records = {
        name: Record(
            name=name,
            title=f"Network {name}",
            mode=FULL,
            about={},
            seed=1,
            data="a part of CIFAR-10",
            figures={"psnr": 25.5, "noisy": {"psnr": 20.17}},
            seconds=300,
            parameters=1234,
            steps=5000,
            batch=64,
        )
        for name in ("unet", "border_unet", "perona_malik")
    }
    records["border_unet"].figures.update({"f1": 0.75, "noisy": {"f1": 0.5}})
    records["perona_malik"].figures["oracle"] = 27.125
    page = tmp_path / "page.md"
    short_trainings.write_page(records, 5, 2, page)
    text = page.read_text("utf-8")
    assert text.startswith("# 5 minutes of training each\n")
    assert "| Network unet | 1,234 | 5.0 | 5,000 | 64 | 20.17 dB | 25.50 dB |" in text
    assert "| Network border_unet | 1,234 | 5.0 | 5,000 | 64 | 0.50 F1 | 0.75 F1 |" in text
    assert "with the clean image | 0 | - | - | - | 20.17 dB | 27.12 dB |" in text
    assert "a part of CIFAR-10" in text
