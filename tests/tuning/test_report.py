"""What is made of the results of trials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kerasdenoise.tuning.oracle import scalarize
from kerasdenoise.tuning.report import describe_best, find_front, measure_importance, write_report
from kerasdenoise.tuning.study import Result, Study, find_best


def _trial(number: int, psnr: float, mac: int = 100, share: float = 1.0) -> Result:
    figures = {"psnr": psnr, "ssim": -psnr, "mac_per_pixel": mac}
    return Result(number, Path(), "completed", {}, share, figures)


def test_a_front_is_what_nothing_is_as_cheap_as_and_better_than():
    trials = [(3, 30.0), (1, 20.0), (2, 19.0), (2, 25.0), (5, 30.0), (4, 29.0), (1, 18.0)]
    front = find_front(trials, lambda each: each[0], lambda each: each[1])
    assert front == [(1, 20.0), (2, 25.0), (3, 30.0)]


def test_the_best_is_among_those_that_did_the_most():
    trials = [_trial(1, 30.0, share=0.3), _trial(2, 25.0), _trial(3, 26.0)]
    assert find_best(trials, "psnr") is trials[2]
    assert find_best(trials, "pareto") is trials[2]
    assert find_best(trials, "ssim") is trials[1]
    assert find_best([Result(1, Path(), "failed", {})], "psnr") is None


def test_the_whole_front_is_sought():
    def make(psnr: float, mac: float) -> Any:
        values = {"psnr": psnr, "mac_per_pixel": mac}
        metrics = SimpleNamespace(get_best_value=values.get)
        return SimpleNamespace(status="COMPLETED", metrics=metrics, score=None)

    first = {"cheap": make(20, 10), "middle": make(27, 100), "dear": make(30, 1000)}
    first["worse"] = make(19, 1000)
    winners = []
    for count in range(40):
        running = {str(n): SimpleNamespace(status="RUNNING") for n in range(count)}
        scalarize({**first, **running}, 1)
        winners.append(max(first, key=lambda name: first[name].score))
    assert set(winners) == {"cheap", "middle", "dear"}
    assert min(winners.count(name) for name in set(winners)) > 4


def test_what_decides_is_important_and_what_does_nothing_is_not():
    rng = np.random.default_rng(0)
    values, figures = [], []
    for _ in range(40):
        kind, peak = str(rng.choice(["a", "b"])), float(10 ** rng.uniform(-4, -1))
        row: dict[str, Any] = {"kind": kind, "peak": peak, "idle": int(rng.integers(5))}
        if kind == "a":
            row["only_a"] = [1, 2]
        values.append(row)
        figures.append((3.0 if kind == "b" else 0.0) + np.log10(peak))
    found = measure_importance(values, figures)
    assert found is not None
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.explained > 0.7
    assert found.shares["idle"] < 0.05
    assert found.shares["kind"] + found.shares["only_a"] > found.shares["peak"] > 0.1


def test_few_or_equal_trials_say_nothing():
    assert measure_importance([{"a": 1}] * 7, list(range(7))) is None
    assert measure_importance([{"a": n} for n in range(9)], [1.0] * 9) is None


def test_the_best_quarter_is_described():
    assert describe_best([1, 2, 3, 4, 5, 6, 7, 8], [0, 9, 0, 0, 0, 8, 0, 0]) == [2, 6]
    assert describe_best(["a", "b", "c", "b"] * 2, [1, 9, 2, 8, 1, 1, 1, 1]) == ["b"]


def test_a_report_has_all_of_a_study(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    def run(folder: Path, *rest: Any) -> Any:
        if folder.name == "trial_0003":
            raise ValueError("loss | not finite")
        return pretender(folder, *rest)

    study = make_study()
    pretend(study, run, 12)
    lines = write_report(study)
    assert lines[0].startswith(f"{study.folder}: 12 trials, 1 failed; the best is trial ")
    text = (study.folder / "report.md").read_text("utf-8")
    assert "| 4 | ValueError: loss / not finite |" in text
    assert "| noise | gaussian:25 |" in text
    rows = [line for line in text.splitlines() if line.startswith("| ") and "1,000" in line]
    assert len(rows) > 11  # trials, and the front
    assert "explains " in text
    for name in ("parallel.png", "front.png"):
        assert f"({name})" in text
        with Image.open(study.folder / name) as picture:
            assert np.ptp(np.asarray(picture.convert("L"))) > 100
    tuned = (study.folder / "tuned.toml").read_text("utf-8")
    best = lines[0].split("trial ")[1].split(":")[0]
    recipe = study.search / f"trial_{int(best) - 1:04}" / "recipe.toml"
    assert tuned.splitlines()[0].startswith(f"# Trial {best} of 12 of a random search for psnr: ")
    assert tuned.partition("\n")[2] == recipe.read_text("utf-8")


def test_without_results_a_report_says_so(make_study: Callable[..., Study]):
    study = make_study()
    assert write_report(study) == [
        f"{study.folder}: 0 trials, none completed; see {study.folder / 'report.md'}"
    ]
    assert not (study.folder / "tuned.toml").exists()
