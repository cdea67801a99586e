from __future__ import annotations

import pytest

from kerasdenoise.training import run as run_module
from kerasdenoise.training.run import Deadline


class _Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    clock = _Clock()
    monkeypatch.setattr(run_module, "time", clock)
    return clock


def test_a_quarter_is_kept_for_the_first_checkpoint(clock: _Clock):
    deadline = Deadline(100)
    clock.now += 74
    assert not deadline.is_near()
    clock.now += 2
    assert deadline.is_near()


def test_then_twice_as_long_as_the_last_one_took(clock: _Clock):
    deadline = Deadline(100)
    deadline.checkpoint_took(4)
    clock.now += 91
    assert not deadline.is_near()
    clock.now += 2
    assert deadline.is_near()


def test_without_a_limit_there_is_time(clock: _Clock):
    deadline = Deadline(None)
    deadline.checkpoint_took(1e6)
    clock.now += 1e9
    assert not deadline.is_near()


def test_time_that_is_over_is_over(clock: _Clock):
    assert Deadline(-5).is_near()
