"""The search around the trials: limits, kills at any moment, failures."""

from __future__ import annotations

import itertools
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.plain_json import read_json, write_json
from kerasdenoise.tuning.study import Study, find_best, read_results


class _Killed(BaseException):
    """What no handler of errors catches."""


def _status(study: Study) -> dict[str, str]:
    return {
        file.parent.name: read_json(file)["status"] for file in study.search.glob("*/trial.json")
    }


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None, bool], None]:
    """Dies before or after the file of a certain number gets its name."""
    replace = os.replace

    def prepare(number: int | None, after: bool = False) -> None:
        counter = itertools.count(1)

        def dying(source: str, target: str, **folders: int | None) -> None:
            due = next(counter) == number
            if due and not after:
                raise _Killed
            replace(source, target, **folders)
            if due:
                raise _Killed

        monkeypatch.setattr(os, "replace", dying)

    return prepare


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(
    ("tuner", "stride"),
    [
        ("random", 2),
        pytest.param("hyperband", 1, marks=pytest.mark.slow),
        pytest.param("bayesian", 9, marks=pytest.mark.slow),
    ],
)
def test_a_kill_at_any_moment_loses_no_trial_and_does_none_twice(
    make_study: Callable[..., Study],
    pretend: Callable[..., Any],
    pretender: Any,
    kill_at: Callable[..., None],
    tuner: str,
    stride: int,
    after: bool,
):
    whole = make_study("whole", tuner=tuner)
    pretend(whole, pretender, 4)
    expected = [result.values for result in read_results(whole)]
    assert len(expected) == 4
    number, finished = 1, False
    while not finished:
        study = make_study(f"killed_{number}", tuner=tuner)
        pretender.done.clear()
        kill_at(number, after)
        try:
            pretend(study, pretender, 4)
            finished = True
        except _Killed:
            kill_at(None)
            pretend(study, pretender, 4)
        assert set(_status(study).values()) == {"COMPLETED"}
        # The one that a kill comes right after is not counted here.
        assert len(pretender.done) == len(set(pretender.done)) >= 3
        found = [result.values for result in read_results(study)]
        assert len(found) == 4
        assert found == expected
        number += stride
    assert number > 25


def test_a_finished_study_is_not_searched_again(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    study = make_study()
    pretend(study, pretender, 3)
    pretend(study, pretender, 3)
    assert len(pretender.done) == 3
    pretend(study, pretender, 5)
    assert pretender.done == [f"trial_{number:04}" for number in range(5)]


def test_failed_trials_are_kept_with_their_reason_and_end_nothing(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    errors = [
        ValueError("loss is\nnot finite"),
        MemoryError("no room"),
        ValueError(""),
        OSError("x"),
    ]

    def run(folder: Path, *rest: Any) -> Any:
        if errors:
            raise errors.pop(0)
        return pretender(folder, *rest)

    study = make_study()
    said = pretend(study, run, 6)
    results = read_results(study)
    assert [result.status for result in results] == ["failed"] * 4 + ["completed"] * 2
    assert [result.reason for result in results[:3]] == [
        "ValueError: loss is not finite",
        "out of memory: MemoryError: no room",
        "ValueError: no message",
    ]
    assert any(
        re.search(r"trial 1 of 6: failed.*ValueError: loss is not finite", line) for line in said
    )
    pretend(study, run, 6)
    assert len(pretender.done) == 2


def test_a_space_that_builds_no_network_fails_trial_by_trial(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    space = make_study("valid").space.text.replace("width = [4, 6, 8]", "depth = [1, 4, 5]")
    study = make_study(space=space, equal="compute")
    pretend(study, pretender, 6)
    results = read_results(study)
    for result in results:
        assert (result.status == "failed") == (result.values["depth"] == 1)
    (reason,) = {result.reason for result in results if result.reason}
    assert re.search("dncnn depth 1: .*below 2", reason)
    assert pretender.done


def test_a_trial_whose_process_was_killed_twice_is_given_up(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    study = make_study()

    def run(folder: Path, *rest: Any) -> Any:
        if folder.name == "trial_0001":
            raise _Killed
        return pretender(folder, *rest)

    for deaths in (1, 2):
        with pytest.raises(_Killed):
            pretend(study, run)
        write_json(study.search / "trial_0001" / "deaths.json", deaths)
    pretend(study, run)
    failed = [result for result in read_results(study) if result.status == "failed"]
    assert [result.number for result in failed] == [2]
    assert re.search("killed 2 times.*memory", failed[0].reason)
    assert len(pretender.done) == 3


def test_no_trial_begins_that_would_not_end_in_time(
    make_study: Callable[..., Study],
    pretend: Callable[..., Any],
    pretender: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    now = 1000.0
    monkeypatch.setattr(time, "time", lambda: now)

    def run(*arguments: Any) -> Any:
        nonlocal now
        now += 30
        return pretender(*arguments)

    # Three take 90 seconds, after which another one would be too long.
    pretend(make_study(), run, None, now + 100)
    assert len(pretender.done) == 3


def test_the_first_trial_is_done_however_short_the_time(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    pretend(make_study(), pretender, None, time.time() - 1)
    assert pretender.done == ["trial_0000"]


def test_hyperband_goes_on_with_the_best(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    study = make_study(tuner="hyperband")
    pretend(study, pretender, 13)
    results = read_results(study)
    shares = [round(9 * result.share) for result in results]
    assert sorted(shares) == [1] * 9 + [3] * 3 + [9]
    best = find_best(results, "psnr")
    assert best is not None
    assert best.share == 1.0
    short = sorted((r for r in results if r.share < 0.2), key=lambda r: -r.figures["ssim"])
    assert best.values == short[0].values


def test_it_says_where_it_stands(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    from kerasdenoise.training.run import Progress

    def run(folder: Path, recipe: str, share: float, earlier: Any, report: Any) -> Any:
        report(Progress(4, 8, 0.1, {"a": 20.0, "b": 21.0}, 0.0, 1e-3, 40.0, 10.0))
        return pretender(folder, recipe, share, earlier, report)

    said = pretend(make_study(), run, 2)
    assert said[0].startswith("trial 1 of 2: optimizer ")
    assert re.fullmatch(r"trial 1 of 2: step 4 of 8, 20\.50 dB; .*\b1 min.*", said[1])
    assert said[2].endswith(" MAC per pixel")
    assert "; best 2" in said[4]
    assert said[4].endswith(" dB (trial 1); about 40 s left")


_SMALL = """
architectures = ["dncnn"]
[base]
steps = 8
[base.config]
preset = "tiny"
[space.optimization]
optimizer = ["adam", "sgd"]
[space.config]
width = [4, 6, 8]
"""


@pytest.mark.parametrize("tuner", ["random", "bayesian"])
def test_a_small_space_is_tried_out_and_no_setting_twice(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any, tuner: str
):
    study = make_study(tuner=tuner, space=_SMALL)
    pretend(study, pretender, 12)
    tried = [tuple(result.values.items()) for result in read_results(study)]
    assert len(tried) == len(set(tried)) == 6


def test_hyperband_promotes_the_best_of_a_small_space_to_all_steps(
    make_study: Callable[..., Study], pretend: Callable[..., Any], pretender: Any
):
    study = make_study(tuner="hyperband", space=_SMALL)
    pretend(study, pretender, 40)
    results = read_results(study)
    shares = sorted(result.share for result in results)
    # 27 settings would begin the first bracket, and there are 6.
    assert shares.count(min(shares)) == 6
    assert max(shares) == 1.0
    first = [result for result in results if result.share == min(shares)]
    promoted = [result for result in results if result.share > min(shares)]
    best = max(first, key=lambda result: result.figures["psnr"])
    assert promoted[0].values == best.values


def test_a_pause_is_no_part_of_a_trial(
    make_study: Callable[..., Study],
    pretend: Callable[..., Any],
    pretender: Any,
    monkeypatch: pytest.MonkeyPatch,
):
    def killed(*_: Any) -> Any:
        raise _Killed

    study = make_study()
    with pytest.raises(_Killed):
        pretend(study, killed, 3)
    monkeypatch.setattr(time, "time", lambda: time.monotonic() + 2e9)  # a pause of decades
    pretend(study, pretender, 3, until=time.time() + 3600)
    assert len(pretender.done) == 3


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("trial_0000/trial.json", {"trial_id": "../../../elsewhere"}),
        ("trial_0000/trial.json", {"trial_id": "0001"}),
        ("trial_0000/trial.json", {"trial_id": 7}),
        ("trial_0000/trial.json", {"hyperparameters": []}),
        ("oracle.json", {"start_order": None}),
        ("oracle.json", {"ongoing_trials": {"tuner0": "9999"}}),
    ],
)
def test_a_state_that_is_none_is_refused_and_leads_nowhere(
    make_study: Callable[..., Study],
    pretend: Callable[..., Any],
    pretender: Any,
    tmp_path: Path,
    file: str,
    change: dict[str, Any],
):
    study = make_study()
    pretend(study, pretender, 2)
    before = sorted(tmp_path.rglob("*"))
    state = study.search / file
    state.write_text(json.dumps(read_json(state) | change), "utf-8")
    with pytest.raises(UsageError, match=r"oracle\.json: is not the state of a search"):
        pretend(study, pretender, 3)
    assert sorted(tmp_path.rglob("*")) == before
