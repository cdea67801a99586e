from __future__ import annotations

import time

import pytest

from kerasdenoise.evaluation.comparison.speed import median_ratio, time_in_turns


def test_things_take_turns_and_the_first_round_is_not_counted():
    calls: list[str] = []

    def prepare(name: str, seconds: float):
        def make():
            calls.append(f"make {name}")

            def run():
                calls.append(name)
                time.sleep(seconds)

            return run

        return make

    rounds: list[int] = []
    runs = {"slow": prepare("slow", 0.02), "fast": prepare("fast", 0.0)}
    seconds = time_in_turns(runs, 2, on_round=rounds.append)
    assert calls == ["make slow", "slow", "make fast", "fast"] * 3
    assert rounds == [0, 1, 2]
    assert [len(each) for each in seconds.values()] == [2, 2]
    assert min(seconds["slow"]) >= 0.02 > max(seconds["fast"])


def test_what_is_prepared_is_not_timed_and_not_kept():
    alive = 0

    class Large:
        def __init__(self) -> None:
            nonlocal alive
            alive += 1
            assert alive == 1
            time.sleep(0.05)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

        def __call__(self) -> None:
            pass

    seconds = time_in_turns({"one": Large, "two": Large}, 1)
    assert max(seconds["one"] + seconds["two"]) < 0.05
    assert alive == 0


def test_what_is_quick_is_run_again_and_again_in_a_turn():
    counts = {"quick": 0, "slow": 0}

    def run(name: str, seconds: float):
        counts[name] += 1
        time.sleep(seconds)

    runs = {
        "quick": lambda: lambda: run("quick", 0.001),
        "slow": lambda: lambda: run("slow", 0.06),
    }
    seconds = time_in_turns(runs, 1, least=0.05)
    assert counts["slow"] == 2
    assert counts["quick"] > 2
    assert 0.001 <= seconds["quick"][0] < 0.05
    assert seconds["slow"][0] >= 0.06


def test_a_ratio_is_that_of_most_rounds():
    # In the last round the machine was busy with something else.
    assert median_ratio([2.0, 4.0, 90.0], [1.0, 2.0, 3.0]) == 2.0
    with pytest.raises(ValueError, match="zip"):
        median_ratio([1.0], [1.0, 2.0])
