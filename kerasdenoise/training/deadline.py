"""How long a part of a run may take."""

from __future__ import annotations

import math
import time


class Deadline:
    """When to stop, so that the last checkpoint is still written in time.

    Args:
        seconds: How long everything may take from now on; None for no limit.
    """

    def __init__(self, seconds: float | None) -> None:
        self._end = math.inf if seconds is None else time.monotonic() + seconds
        # Not known before the first one, which compiles: a quarter of all is kept for it.
        self._reserve = 0.0 if seconds is None else seconds / 4

    def is_near(self) -> bool:
        """Whether there is time for a checkpoint, and for nothing else."""
        return time.monotonic() + self._reserve >= self._end

    def checkpoint_took(self, seconds: float) -> None:
        """Keeps twice as long for the next checkpoint as the last one took."""
        self._reserve = 2 * seconds
