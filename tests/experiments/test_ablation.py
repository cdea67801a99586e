"""Trials of a few steps: what is kept of them, and the table."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from PIL import Image

from kerasdenoise.training import run

RECIPE = """
name = "photo"
summary = "Tiny"
seed = 1
[model]
architecture = "unet"
[data]
root = "."
train = ["photos"]
validation = ["photos"]
license = "none"
[[noise]]
kind = "gaussian:25"
[optimization]
steps = 2
[validation]
images = 1
crop_size = 32
"""
SMALL = {"widths": [4, 8], "blocks": [1, 1]}


@pytest.fixture(scope="module")
def ablation() -> ModuleType:
    import ablation

    return ablation


@pytest.fixture(scope="module")
def runs(ablation: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two trials of two steps each, on photos that were made up."""
    folder = tmp_path_factory.mktemp("ablation")
    (folder / "photos").mkdir()
    for number in range(2):
        pixels = np.random.default_rng(number).integers(100, 150, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "photos" / f"{number}.png")
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE, "utf-8")
    trial = ablation.Change("as it is", "Reference", SMALL, patch=32, batch=2, steps=2)
    trials = {"reference": trial, "leaky": dataclasses.replace(trial, title="L", block="leaky")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ablation, "RECIPE", recipe)
        patch.setattr(ablation, "CHANGES", trials)
        patch.setattr(run, "draw_curves", lambda entries, target: target.touch())
        arguments = argparse.Namespace(runs=folder / "runs", data=folder)
        for name in trials:
            ablation.run_trial(name, 0, arguments)
        yield arguments.runs


def test_trials_are_trained_kept_and_written_down(ablation: ModuleType, runs: Path, tmp_path: Path):
    shutil.copytree(runs, tmp_path / "runs")
    first = json.loads((runs / "reference_0.json").read_text("utf-8"))
    again = {**first, "name": "reference_1", "seed": 1}  # as another seed would leave it
    (tmp_path / "runs" / "reference_1.json").write_text(json.dumps(again), "utf-8")
    results = ablation.Results(tmp_path / "results.json")
    ablation.keep_records(tmp_path / "runs", results)
    records = ablation.read_records(results)
    assert [record.seed for record in records["reference"]] == [0, 1]
    (leaky,) = records["leaky"]
    assert leaky.figures["silent"] == 0
    assert leaky.parameters == records["reference"][0].parameters
    ablation.write_page(records, tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text("utf-8")
    assert f"| {np.mean(list(leaky.figures['psnr'].values())):.2f} |" in page
    assert "no result" in page


def test_records_of_other_settings_do_not_count(
    ablation: ModuleType, runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    results = ablation.Results(tmp_path / "results.json")
    ablation.keep_records(runs, results)
    assert len(ablation.read_records(results)["reference"]) == 1
    changed = dataclasses.replace(ablation.CHANGES["reference"], steps=3)
    monkeypatch.setitem(ablation.CHANGES, "reference", changed)
    assert not ablation.read_records(results)["reference"]


@pytest.mark.parametrize("kind", ["residual", "naf", "lambda", "leaky"])
def test_each_block_keeps_shape_and_starts_as_nearly_the_identity(kind: str):
    from common.blocks import make_block

    values = keras.random.normal((1, 16, 16, 16), seed=0)
    x = keras.Input((16, 16, 16))
    result = np.asarray(keras.Model(x, make_block(kind, 1)(x, 16, "encoder_0_0"))(values))
    assert result.shape == values.shape
    # A lambda layer starts as any layer does.
    if kind != "lambda":
        assert np.abs(result - np.asarray(values)).mean() < 0.2
