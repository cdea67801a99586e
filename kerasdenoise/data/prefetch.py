"""Batches made ahead of time, so that training does not wait for them."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Batch = TypeVar("_Batch")


def prefetch(
    batch_of: Callable[[int], _Batch], first_step: int, ahead: int = 2
) -> Iterator[_Batch]:
    """Yields `batch_of(first_step)`, `batch_of(first_step + 1)` and so on, without end.

    One other thread makes the batches, in order, and stays `ahead` of what was asked for. It
    starts with the first batch and ends when the iterator is closed, goes out of use or
    raises.

    Args:
        batch_of: Makes the batch of a step; called from the other thread.
        first_step: Where to start.
        ahead: How many batches are made before they are asked for; at least 1.

    Yields:
        The batches; an error of `batch_of` is raised in place of the batch that it is about.
    """
    with ThreadPoolExecutor(1, "prefetch") as thread:
        steps = itertools.count(first_step)
        waiting = deque(thread.submit(batch_of, step) for step in itertools.islice(steps, ahead))
        for step in steps:
            batch = waiting.popleft().result()
            waiting.append(thread.submit(batch_of, step))
            yield batch
