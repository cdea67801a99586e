from __future__ import annotations

import pytest

from kerasdenoise.evaluation.timing import median_ratio, time_in_turns


class _Clock:
    """Stands still unless it is told that time passes."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


def test_things_take_turns_and_the_first_round_is_not_counted(clock: _Clock):
    calls: list[str] = []

    def prepare(name: str, seconds: float):
        def make():
            calls.append(f"make {name}")

            def run():
                calls.append(name)
                clock.sleep(seconds)

            return run

        return make

    rounds: list[int] = []
    runs = {"slow": prepare("slow", 0.5), "fast": prepare("fast", 0.125)}
    seconds = time_in_turns(runs, 2, clock=clock, on_round=rounds.append)
    assert calls == ["make slow", "slow", "make fast", "fast"] * 3
    assert rounds == [0, 1, 2]
    assert seconds == {"slow": [0.5, 0.5], "fast": [0.125, 0.125]}


def test_what_is_prepared_is_not_timed_and_not_kept(clock: _Clock):
    alive = 0

    class Large:
        def __init__(self) -> None:
            nonlocal alive
            alive += 1
            assert alive == 1
            clock.sleep(4.0)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

        def __call__(self) -> None:
            clock.sleep(0.25)

    seconds = time_in_turns({"one": Large, "two": Large}, 1, clock=clock)
    assert seconds == {"one": [0.25], "two": [0.25]}
    assert alive == 0


def test_what_is_quick_is_run_again_and_again_in_a_turn(clock: _Clock):
    counts = {"quick": 0, "slow": 0}

    def run(name: str, seconds: float):
        counts[name] += 1
        clock.sleep(seconds)

    runs = {
        "quick": lambda: lambda: run("quick", 0.125),
        "slow": lambda: lambda: run("slow", 0.75),
    }
    seconds = time_in_turns(runs, 1, least=0.5, clock=clock)
    assert counts == {"quick": 8, "slow": 2}  # in two turns, of which one is counted
    assert seconds == {"quick": [0.125], "slow": [0.75]}


def test_a_ratio_is_that_of_most_rounds():
    # In the last round the machine was busy with something else.
    assert median_ratio([2.0, 4.0, 90.0], [1.0, 2.0, 3.0]) == 2.0
    with pytest.raises(ValueError, match="zip"):
        median_ratio([1.0], [1.0, 2.0])
