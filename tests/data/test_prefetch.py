from __future__ import annotations

import itertools
import threading

import pytest

from kerasdenoise.data.prefetch import prefetch

LONGEST = 20  # seconds; only a failing test waits so long


def _is_alive(name: str = "prefetch") -> bool:
    return any(thread.name.startswith(name) for thread in threading.enumerate())


def test_batches_come_in_order_from_any_step():
    assert list(itertools.islice(prefetch(lambda step: step * step, 3), 5)) == [9, 16, 25, 36, 49]


@pytest.mark.parametrize("ahead", [1, 2, 5])
def test_batches_are_made_while_one_is_used(ahead: int):
    made = [threading.Event() for _ in range(ahead + 2)]
    batches = prefetch(lambda step: made[step].set(), 0, ahead)
    next(batches)
    assert all(event.wait(LONGEST) for event in made[: ahead + 1])
    batches.close()
    assert not made[ahead + 1].is_set()


def test_nothing_is_made_before_the_first_is_asked_for():
    prefetch(lambda step: pytest.fail("asked for nothing"), 0)
    assert not _is_alive()


def test_batches_are_made_one_after_the_other_in_another_thread():
    threads = list(itertools.islice(prefetch(lambda step: threading.get_ident(), 0), 20))
    assert len(set(threads)) == 1
    assert threads[0] != threading.get_ident()


@pytest.mark.parametrize("end", ["close", "drop", "raise"])
def test_the_thread_ends_with_the_iterator(end: str):
    batches = prefetch(lambda step: step, 0)
    next(batches)
    assert _is_alive()
    if end == "close":
        batches.close()
    elif end == "drop":
        del batches
    else:
        with pytest.raises(KeyboardInterrupt):
            batches.throw(KeyboardInterrupt)
    assert not _is_alive()


def test_an_error_comes_in_place_of_its_batch():
    def fail_at_two(step: int) -> int:
        if step == 2:
            raise ValueError("no batch")
        return step

    batches = prefetch(fail_at_two, 0, ahead=2)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(ValueError, match="no batch"):
        next(batches)
    assert not _is_alive()
