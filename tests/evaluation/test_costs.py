from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.evaluation.costs import median_ratio, peak_memory, run_command, time_in_turns

MEGABYTE = 10**6


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


if sys.platform == "win32":
    pytest.skip("Windows says no peak of memory", allow_module_level=True)


def test_the_peak_is_that_of_the_process_alone():
    held = np.ones(400 * MEGABYTE, np.uint8)  # what a child must not inherit
    small, large = (peak_memory(partial(np.ones, size, np.uint8), "ones") for size in (1, 10**8))
    assert small is not None
    assert large is not None
    assert small < held.size
    assert large - small == pytest.approx(100 * MEGABYTE, rel=0.1)


def test_what_fails_says_why():
    with pytest.raises(UsageError, match=r"^thing: .*invalid literal"):
        peak_memory(partial(int, "x"), "thing")


def test_a_command_has_its_seconds_and_its_peak():
    program = "import numpy; numpy.ones(10**8, 'uint8')"
    small, large = (run_command([sys.executable, "-c", code], "it") for code in ("", program))
    assert min(small[0], large[0]) > 0
    assert large[1] - small[1] > 90 * MEGABYTE


def test_a_command_that_fails_has_its_exit_code():
    with pytest.raises(UsageError, match=r"^thing: .*\b3\b"):
        run_command([sys.executable, "-c", "raise SystemExit(3)"], "thing")
