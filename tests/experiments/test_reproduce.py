"""The ground that the papers' experiments stand on, with a paper that takes seconds."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kerasdenoise.errors import RecipeError
from kerasdenoise.evaluation.pages import table, wrap
from kerasdenoise.runtime import prepare_keras

prepare_keras()

import common.paper  # noqa: E402
import common.records  # noqa: E402
from common.data import find_cifar10  # noqa: E402
from common.paper import Paper, Places, Study, reproduce  # noqa: E402
from common.records import Record, Results, Watch, cell, describe_records, difference  # noqa: E402
from common.trials import (  # noqa: E402
    Context,
    Length,
    Trial,
    read_finished,
    run_trial,
    write_recipe,
)

from kerasdenoise.evaluation.figures import (  # noqa: E402
    add_noise,
    denoise,
    figures_of,
    measure_network,
    summarize,
)
from kerasdenoise.evaluation.pages import draw_bars, draw_images, draw_lines  # noqa: E402

OPTIONS = {"warmup_steps": 1, "ema_momentum": 0.5}


def _trial(name: str = "small", **changes: Any) -> Trial:
    values = {
        "name": name,
        "title": "A small one",
        "architecture": "strided_autoencoder",
        "noise": "gaussian:25",
        "quick": Length(4, 2, OPTIONS, checkpoints=2),
        "full": Length(6, 4, OPTIONS, checkpoints=2),
        "config": {"preset": "tiny"},
        "images": 3,
    }
    return Trial(**{**values, **changes})


def _paper_of(*trials: Trial, studies: tuple[Study, ...] = ()) -> Paper:
    def write_sections(records: Any, pictures: Path) -> list[str]:
        return [table(("trial", "dB"), [(n, cell(r, "psnr")) for n, r in records.items()]), ""]

    return Paper("made_up", "Nobody", "nothing", trials, write_sections, studies)


@pytest.fixture
def redo(tmp_path: Path, made_up_cifar10: Path) -> Callable[..., Any]:
    """Does a paper again in the test's folder; returns its records and what was said."""
    places = Places(tmp_path / "results", tmp_path / "pages", tmp_path / "pictures")

    def run(paper: Paper, **options: Any) -> tuple[dict[str, Record], str]:
        said: list[str] = []
        reproduce(
            paper,
            data=made_up_cifar10,
            runs=tmp_path / "runs",
            places=places,
            say=said.append,
            **options,
        )
        return paper.results(places).read(), "\n".join(said)

    return run


def _record(**changes: Any) -> Record:
    values = {
        "name": "small",
        "title": "A small one",
        "mode": "quick",
        "about": {"noise": "gaussian:25"},
        "seed": 1,
        "data": "made up",
        "figures": {"psnr": 25.123, "ssim": 0.8},
        "seconds": 1.0,
        "steps": 10,
        "batch": 4,
        "full_steps": 100,
        "full_batch": 8,
        "origin": {"cores": 2, "shared": True, "others": 1.5, "commit": "abc", "changed": False},
    }
    return Record(**{**values, **changes})


def test_a_trial_is_trained_measured_and_kept(redo: Callable[..., Any], tmp_path: Path):
    def look(context: Context, folder: Path) -> dict[str, Any]:
        (folder / "seen.png").write_bytes(b"a picture")
        return {"psnr": 0.0, "weights": context.load("small").count_params()}

    study = Study("look", "a look", look, needs=("small",))
    records, said = redo(_paper_of(_trial(), studies=(study,)))
    record = records["small"]
    assert (record.steps, record.batch, record.full_steps, record.full_batch) == (4, 2, 6, 4)
    assert record.mode == "quick"
    assert record.figures["images"] == 3
    assert 5 < record.figures["psnr"] < 40
    assert record.figures["noisy"]["psnr"] == pytest.approx(20.17, abs=0.3)
    assert [step for step, _ in record.curve] == [2, 4]
    assert record.parameters == 1_611
    assert "200 of its 50,000" in record.data
    assert 'kind = "gaussian:25"' in record.recipe
    assert set(record.origin) == {"version", "commit", "changed", "cores", "shared", "others"}
    assert "small  step 4/4" in said
    page = (tmp_path / "pages" / "made_up.md").read_text("utf-8")
    assert "partial: 4 steps of 2, paper 6 of 4" in page

    assert records["look"].figures["weights"] == 1_611
    assert records["look"].share == 1.0
    assert (tmp_path / "pictures" / "made_up_seen.png").read_bytes() == b"a picture"

    with pytest.raises(RecipeError, match=r"otherwise; delete"):
        redo(_paper_of(_trial(noise="gaussian:50")))


def test_a_stopped_training_is_measured_and_goes_on(
    made_up_cifar10: Path, tmp_path: Path, redo: Callable[..., Any]
):
    trial = _trial(quick=Length(6, 2, OPTIONS, checkpoints=2))
    context = Context("made_up", made_up_cifar10, tmp_path / "runs")
    stopped = run_trial(trial, context, 1e-9, lambda text: None)
    assert stopped.steps == 1
    assert stopped.label == "partial: 1 steps of 2, paper 6 of 4"
    assert read_finished(trial, context) is None
    assert redo(_paper_of(trial))[0]["small"].steps == 6


def test_that_a_training_diverges_is_a_result(made_up_cifar10: Path, tmp_path: Path):
    options = {**OPTIONS, "optimizer": "sgd", "learning_rate": 1e30, "global_clipnorm": 0.0}
    trial = _trial(quick=Length(4, 2, options), config={"preset": "tiny"}, architecture="unet")
    context = Context("made_up", made_up_cifar10, tmp_path)
    record = run_trial(trial, context, None, lambda text: None)
    assert record.has_diverged
    assert read_finished(trial, context) == record
    assert cell(record, "psnr") == "diverged"
    assert difference(record, "psnr", 26.0) == "-"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainings that cost nothing; their names in order."""
    names: list[str] = []

    def run(trial: Trial, context: Context, seconds: float | None, say: Any) -> Record:
        names.append(trial.name)
        record = _record(
            name=trial.name,
            mode=context.label,
            about=trial.about,
            recipe=write_recipe(trial, context),
            steps=trial.length(context).steps,
            batch=trial.length(context).batch,
        )
        (context.runs / trial.name).mkdir(parents=True, exist_ok=True)
        file = context.runs / trial.name / "record.json"
        file.write_text(json.dumps(dataclasses.asdict(record)), "utf-8")
        return record

    monkeypatch.setattr(common.paper, "run_trial", run)
    return names


def test_what_is_done_is_not_done_again(redo: Callable[..., Any], trained: list[str]):
    first, _ = redo(_paper_of(_trial(), _trial("other")))
    assert redo(_paper_of(_trial(), _trial("other")))[0] == first
    assert trained == ["small", "other"]


def test_without_time_nothing_is_trained_and_studies_wait(
    redo: Callable[..., Any], trained: list[str], tmp_path: Path
):
    study = Study("look", "a look", lambda *_: pytest.fail("did not wait"), needs=("small",))
    records, said = redo(_paper_of(_trial(), studies=(study,)), minutes=1e-9)
    assert trained == []
    assert records == {}
    assert re.search("look .*waits.* small", said)

    half_done = _record(recipe="another")
    (tmp_path / "runs/made_up/quick/small").mkdir(parents=True)
    file = tmp_path / "runs/made_up/quick/small/record.json"
    file.write_text(json.dumps(dataclasses.asdict(half_done)), "utf-8")
    said = redo(_paper_of(_trial(), studies=(study,)), minutes=1e-9)[1]
    assert re.search("look .*waits.* small", said)


def test_full_says_how_long_and_replaces_quick(redo: Callable[..., Any], trained: list[str]):
    redo(_paper_of(_trial()))
    records, said = redo(_paper_of(_trial()), full=True)
    assert "small: 6 steps of " in said
    assert re.search(r"1 trainings.* 0\.0 hours, 0\.0 days", said)
    assert records["small"].mode == "full"


def test_a_quick_look_does_not_replace_a_long_training(
    redo: Callable[..., Any], trained: list[str]
):
    long, _ = redo(_paper_of(_trial()), times=3)
    assert long["small"].steps == 12
    assert long["small"].mode == "quick_3"
    assert redo(_paper_of(_trial()))[0] == long
    assert trained == ["small", "small"]


def test_a_trial_that_takes_too_long_is_for_full_only(redo: Callable[..., Any], trained: list[str]):
    paper = _paper_of(_trial(quick=None))
    assert redo(paper)[0] == {}
    assert redo(paper, full=True)[0]["small"].steps == 6


def test_how_long_all_took_is_kept_if_nothing_was_done_before(
    redo: Callable[..., Any], trained: list[str], tmp_path: Path
):
    redo(_paper_of(_trial(), _trial("other")))
    file = tmp_path / "results" / "made_up_paper.json"
    times = json.loads(file.read_text("utf-8"))["times"]
    assert times["quick"]["processor_seconds"] >= 0
    redo(_paper_of(_trial(), _trial("other")))
    redo(_paper_of(_trial(), _trial("other")), minutes=5)
    assert json.loads(file.read_text("utf-8"))["times"] == times


def test_the_recipe_is_what_the_trial_says(made_up_cifar10: Path, tmp_path: Path):
    import tomllib

    context = Context("made_up", made_up_cifar10, tmp_path)
    trial = _trial(percent=60, turns=False, parts={"border": "other"})
    recipe = tomllib.loads(write_recipe(trial, context))
    archive = "cifar10/cifar10_lossless_subset.npz"
    assert recipe["data"]["train"] == [f"{archive}:x_train[1%:61%]"]
    assert recipe["data"]["validation"] == [f"{archive}:x_train[:1%]"]
    assert recipe["data"]["augment"] is False
    assert recipe["model"]["part_weights"] == {
        "border": (tmp_path / "made_up/quick/other").as_posix()
    }
    assert recipe["optimization"] == {"steps": 4, "loss": "l2", **OPTIONS}
    assert recipe["validation"]["interval"] == 2


def test_a_record_of_another_recipe_is_not_finished(made_up_cifar10: Path, tmp_path: Path):
    context, trial = Context("made_up", made_up_cifar10, tmp_path), _trial()
    folder = context.runs / "small"
    folder.mkdir(parents=True)
    for recipe, is_finished in ((write_recipe(trial, context), True), ("another", False)):
        record = _record(recipe=recipe, steps=4)
        (folder / "record.json").write_text(json.dumps(dataclasses.asdict(record)), "utf-8")
        assert (read_finished(trial, context) is not None) == is_finished


@pytest.mark.parametrize(
    ("changes", "is_kept"),
    [
        ({"steps": 11}, True),
        ({"steps": 10}, True),
        ({"steps": 9}, False),
        ({"steps": 9, "batch": 8}, True),
        ({"steps": 9, "about": {"noise": "speckle"}}, True),
        ({"steps": 9, "mode": "full"}, False),
    ],
)
def test_what_was_trained_longest_is_kept(tmp_path: Path, changes: dict[str, Any], is_kept: bool):
    results = Results(tmp_path / "some" / "results.json")
    first, second = _record(), _record(**changes, seed=2)
    assert results.keep(first)
    assert results.keep(second) == is_kept
    assert results.read() == {"small": second if is_kept else first}


@pytest.mark.parametrize(
    ("mode", "is_kept"), [("quick", False), ("quick_4", False), ("quick_12", True), ("full", True)]
)
def test_a_study_of_networks_that_were_trained_longest_is_kept(
    tmp_path: Path, mode: str, is_kept: bool
):
    results = Results(tmp_path / "results.json")
    study = {"steps": 0, "batch": 0, "full_steps": 0, "full_batch": 0}
    assert results.keep(_record(mode="quick_5", **study))
    assert results.keep(_record(mode=mode, **study)) == is_kept


def test_work_of_others_makes_a_machine_shared(monkeypatch: pytest.MonkeyPatch):
    busy = iter([1000.0, 1000.0 + 90.0])
    monkeypatch.setattr(common.records, "_busy_seconds", lambda: next(busy))
    watch = Watch()
    monkeypatch.setattr(Watch, "seconds", 60.0)
    monkeypatch.setattr(Watch, "processor_seconds", 30.0)
    described = watch.describe()
    assert (described["shared"], described["others"]) == (True, 1.0)

    monkeypatch.setattr(common.records, "_busy_seconds", lambda: None)
    assert Watch().describe()["shared"] is False


def test_data_are_a_part_or_all_of_cifar10(made_up_cifar10: Path, tmp_path: Path):
    part = find_cifar10(made_up_cifar10)
    assert re.search("part.* 200 of .*50,000 training .*12 of .*10,000 test", part.note)
    clean = part.load_test(5)
    assert clean.shape == (5, 32, 32, 3)
    assert clean.dtype == np.float32
    assert 0 <= clean.min() < clean.max() <= 1
    whole = find_cifar10(tmp_path)
    assert whole.note == "all of CIFAR-10"
    assert whole.part(60) == "tfds:cifar10:train[1%:61%]"
    assert whole.part() == "tfds:cifar10:train[1%:]"
    assert whole.validation == "tfds:cifar10:train[:1%]"
    cropped = dataclasses.replace(part, crop=8)
    np.testing.assert_array_equal(cropped.load_test(5), clean[:, 12:20, 12:20])


def test_the_peak_is_1_or_the_largest_value_of_the_image():
    clean = np.full((2, 16, 16, 3), 0.5, np.float32)
    figures = figures_of(clean, clean + np.array([[0.1], [0.01]], np.float32).reshape(2, 1, 1, 1))
    assert figures["psnr"] == pytest.approx([20, 40], abs=1e-3)
    assert figures["psnr_image_max"] == pytest.approx([20 - 6.0206, 40 - 6.0206], abs=1e-3)
    summary = summarize(figures)
    assert summary["psnr"] == pytest.approx(30, abs=1e-3)
    assert summary["psnr_error"] == pytest.approx(10, abs=1e-3)


def test_a_network_is_measured_on_clipped_results(made_up_cifar10: Path):
    import keras

    clean = find_cifar10(made_up_cifar10).load_test()
    pixels = keras.Input((None, None, 3))
    identity = keras.Model(pixels, keras.layers.Rescaling(1.0)(pixels))
    noisy = add_noise(clean, "gaussian:76.5")
    assert np.array_equal(noisy, add_noise(clean, "gaussian:76.5"))
    np.testing.assert_allclose(denoise(identity, noisy, clean), noisy.clip(0, 1), atol=1e-6)
    figures = measure_network(identity, clean, "gaussian:76.5")
    assert figures["noisy"]["psnr"] == pytest.approx(10.46, abs=0.2)
    assert figures["psnr"] > figures["noisy"]["psnr"] + 1
    assert figures["images"] == 12


def test_a_cell_says_how_far_the_training_came():
    assert cell(_record(), "psnr", "ssim") == (
        "25.12 / 0.80<br>partial: 10 steps of 4, paper 100 of 8"
    )
    assert cell(_record(), "psnr", digits=1, label=False) == "25.1"
    assert cell(_record(steps=200, batch=4), "psnr") == "25.12"
    assert cell(None, "psnr") == "not run"
    assert difference(_record(), "psnr", 26.0) == "-0.88"
    assert difference(None, "psnr", 26.0) == difference(_record(), "psnr", None) == "-"


def test_the_end_of_a_page_says_how_its_figures_came_about():
    text = describe_records({"small": _record()}, "python cli.py reproduce made_up")
    assert "`python cli.py reproduce made_up`" in text
    assert "| `small` | quick | 10 x 4 | 5 % | - | 1 | 2, shared | 1 | abc |" in text


def test_lines_are_broken_but_not_those_of_tables():
    long = "word " * 30
    row = f"| {long}|"
    text = wrap(f"# {long}\n\n{long}\n\n- {long}\n- b\n  c\n\n{row}\n{row}\n\n{long}\n- c\n\n")
    assert text.endswith("- c\n")
    heading, paragraph, items, rows, both = text.rstrip().split("\n\n")
    assert heading == f"# {long}"
    assert [len(line) for line in paragraph.splitlines()] == [99, 49]
    assert paragraph.startswith("word word")
    assert [line[:2] for line in items.splitlines()] == ["- ", "  ", "- "]
    assert items.endswith("\n- b c")
    assert rows == f"{row}\n{row}"
    assert both.splitlines()[-1] == "- c"
    assert len(both.splitlines()) == 3
    assert wrap("a\n\n\n\nb\n\n") == "a\n\nb\n"


def test_charts_are_pictures(tmp_path: Path):
    draw_lines({"a": ([1, 2], [3, 4])}, tmp_path / "l.png", x="x", y="y", log=True)
    draw_bars(
        ["a", "b"],
        {"c": [1.0, None], "d": [2.0, 3.0]},
        tmp_path / "b.png",
        y="y",
        marks={"d": [None, 1.5]},
    )
    image = np.zeros((8, 8, 3))
    draw_images([[image, image], [image[..., 0]]], [["a", "b"], ["c"]], tmp_path / "i.png")
    for name in "lbi":
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")


def test_a_paper_says_how_long_it_takes(tmp_path: Path):
    paper, places = _paper_of(_trial(), _trial("other")), Places(results=tmp_path)
    assert paper.describe_time(places).startswith("--quick: not measured yet. --full: 2 trainings")
    paper.results(places).keep_time("quick", {"processor_seconds": 700, "cores": 2})
    assert re.search("--quick: .*6 minutes on 2 .*cores", paper.describe_time(places))
