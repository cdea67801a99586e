"""Comparing how long things take on a machine that also does others."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence


def time_in_turns(
    prepare: Mapping[str, Callable[[], Callable[[], object]]],
    rounds: int,
    *,
    least: float = 0.0,
    clock: Callable[[], float] = time.perf_counter,
    on_round: Callable[[int], None] = lambda number: None,
) -> dict[str, list[float]]:
    """Times things turn by turn, so that what else the machine does is the same for all.

    Args:
        prepare: By name, what returns the thing that is timed; called before each turn, and not
            timed. What it returns is let go after the turn.
        rounds: How many times each is timed, after once that is not counted.
        clock: Tells seconds; `time.process_time` counts no other program.
        least: Seconds that a turn takes at least: what is quicker is run again and again in it.
        on_round: Called before each round with its number, 0 for the one that is not counted.

    Returns:
        The seconds of each round, by name; the mean of the runs in a turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in prepare}
    for number in range(rounds + 1):
        on_round(number)
        for name, make in prepare.items():
            run = make()
            start = clock()
            times = 0
            while times == 0 or clock() - start < least:
                run()
                times += 1
            if number:
                seconds[name].append((clock() - start) / times)
            del run  # before the next one takes its memory
    return seconds


def median_ratio(seconds: Sequence[float], others: Sequence[float]) -> float:
    """How many times as long as others things took: the median over the rounds of one run."""
    return statistics.median(a / b for a, b in zip(seconds, others, strict=True))
