"""Every paper's trials can be trained, and its page can be written, whatever was run."""

from __future__ import annotations

from pathlib import Path

import pytest

from kerasdenoise.runtime import prepare_keras

prepare_keras()

import dataclasses  # noqa: E402
import importlib  # noqa: E402

from common.paper import Paper  # noqa: E402
from common.records import DIVERGED, Record  # noqa: E402
from common.trials import FULL, QUICK, Context, Trial, write_recipe  # noqa: E402

from kerasdenoise.noise import parse_noise  # noqa: E402
from kerasdenoise.training.optimization import make_optimizer  # noqa: E402
from kerasdenoise.training.recipe import parse_recipe  # noqa: E402
from kerasdenoise.training.tasks import find_task  # noqa: E402

FOLDER = Path(__file__).parents[2] / "experiments"
NAMES = sorted(file.stem for file in FOLDER.glob("*_paper.py"))
# Those whose trials are measured as images are, in PSNR and SSIM.
OF_IMAGES = ("hourglass_paper", "lambda_net_paper", "strided_autoencoder_paper")
ROOT = Path("data")
FIGURES = {
    "psnr": 25.0,
    "psnr_error": 0.1,
    "psnr_image_max": 24.6,
    "psnr_image_max_error": 0.1,
    "ssim": 0.85,
    "ssim_error": 0.01,
    "noisy": {"psnr": 20.0, "psnr_image_max": 19.6, "ssim": 0.6},
    "images": 3,
}


def load(name: str) -> Paper:
    return importlib.import_module(name).PAPER


def make_record(trial: Trial, mode: str) -> Record:
    context = Context("any", ROOT, Path("runs"), mode)
    length = trial.length(context)
    return Record(
        name=trial.name,
        title=trial.title,
        mode=mode,
        about=trial.about,
        seed=trial.seed,
        data="made up",
        figures=FIGURES,
        seconds=1.0,
        steps=length.steps,
        batch=length.batch,
        full_steps=trial.full.steps,
        full_batch=trial.full.batch,
        curve=[[1, 20.0], [length.steps, 25.0]],
        origin={"cores": 2, "shared": False, "others": 0.0, "commit": "abc", "changed": False},
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_paper_is_named_as_its_file_and_its_parts_differ(name: str):
    paper = load(name)
    assert f"{paper.name}_paper" == name
    names = [each.name for each in (*paper.trials, *paper.studies)]
    assert len(set(names)) == len(names)
    before: set[str] = set()
    for trial in paper.trials:
        assert before.issuperset([*trial.parts.values(), *filter(None, [trial.initial])])
        before.add(trial.name)
    assert before.issuperset(need for study in paper.studies for need in study.needs)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", [QUICK, FULL])
def test_every_recipe_can_be_followed(name: str, mode: str):
    context = Context("any", ROOT, Path("runs"), mode)
    for trial in load(name).trials:
        if not trial.is_part_of(context):
            continue
        recipe = parse_recipe(write_recipe(trial, context), trial.name)
        config = recipe.model.config
        assert recipe.data.patch_size % config.stride == 0
        find_task(recipe).check(recipe, parse_noise(trial.noise))
        make_optimizer(recipe.optimization)
        assert recipe.optimization.steps <= trial.full.steps


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_page_says_what_was_not_run(name: str, tmp_path: Path):
    text = load(name).write_page({}, tmp_path)
    assert text.startswith("# ")
    assert "not run" in text
    # A picture that nothing was drawn for is not shown.
    assert not [line for line in text.splitlines() if line.startswith("![")]


@pytest.mark.parametrize("name", OF_IMAGES)
@pytest.mark.parametrize("mode", [QUICK, FULL])
def test_a_page_shows_every_training_and_how_long_it_was(name: str, mode: str, tmp_path: Path):
    paper = load(name)
    context = Context("any", ROOT, Path("runs"), mode)
    trials = [trial for trial in paper.trials if trial.is_part_of(context)]
    text = paper.write_page({each.name: make_record(each, mode) for each in trials}, tmp_path)
    for trial in trials:
        assert f"| `{trial.name}` | {mode} | " in text
    assert ("partial" in text) == (mode == QUICK)
    assert "25.00" in text
    shown = {line for line in text.splitlines() if line.startswith("![")}
    for picture in tmp_path.glob("*.png"):
        assert any(f"(../images/papers/{picture.name})" in line for line in shown)
    assert f"`python cli.py reproduce {paper.name}`" in text


@pytest.mark.parametrize("name", OF_IMAGES)
def test_a_page_says_what_diverged(name: str, tmp_path: Path):
    paper = load(name)
    records = {trial.name: make_record(trial, FULL) for trial in paper.trials}
    for trial in paper.trials:
        failed = dataclasses.replace(records[trial.name], figures={DIVERGED: "why"}, curve=[])
        records[trial.name] = failed
    text = paper.write_page(records, tmp_path)
    assert text.count("diverged") >= len(records)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_no_line_of_a_page_has_a_gap_where_a_figure_should_be(name: str, tmp_path: Path):
    paper = load(name)
    records = {trial.name: make_record(trial, FULL) for trial in paper.trials}
    for line in paper.write_page(records, tmp_path).splitlines():
        assert "None" not in line
        assert "nan" not in line.split()
