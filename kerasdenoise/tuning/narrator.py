"""What people are told during a search."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kerasdenoise.tuning.results import describe_noisy, find_best, read_results
from kerasdenoise.tuning.study import Study

if TYPE_CHECKING:
    from kerasdenoise.training.run import Progress
    from kerasdenoise.tuning.oracle import Limits


class Narrator:
    """Says where a search stands: the trial, the best so far, and the time left.

    Args:
        study: What is searched.
        limits: When the search ends.
        say: Takes lines of text.
        workers: How many processes do trials at the same time.
    """

    def __init__(
        self, study: Study, limits: Limits, say: Callable[[str], None], workers: int = 1
    ) -> None:
        self._study = study
        self._limits = limits
        self._say = say
        self._workers = workers
        self._name = ""
        self._began = 0.0

    def begin(self, trial: str, values: dict[str, Any]) -> None:
        """A trial begins."""
        number = int(trial) + 1
        limit = self._limits.trials
        self._name = f"trial {number} of {max(limit, number)}" if limit else f"trial {number}"
        self._began = time.monotonic()
        self._say(f"{self._name}: {describe_values(values)}")

    def progress(self, progress: Progress) -> None:
        """A trial has a checkpoint."""
        mean = statistics.mean(progress.psnr.values())
        parts = [f"step {progress.step} of {progress.steps}, {mean:.2f} dB", self._best()]
        parts.append(self._left(progress.seconds_left))
        self._say(f"{self._name}: {'; '.join(filter(None, parts))}")

    def done(self, figures: dict[str, Any]) -> None:
        """A trial is completed."""
        latency = figures["latency"]
        time_ = f", {latency:.0f} ms per megapixel" if latency is not None else ""
        self._say(
            f"{self._name}: {figures['psnr']:.2f} dB{describe_noisy(figures)}, "
            f"SSIM {figures['ssim']:.3f}, "
            f"{figures['parameters']:,} parameters, {figures['mac_per_pixel']:,} MAC per "
            f"pixel{time_}"
        )

    def failed(self, reason: str) -> None:
        """A trial came to nothing."""
        self._say(f"{self._name}: failed ({reason})")

    def _best(self) -> str:
        best = find_best(read_results(self._study), self._study.settings.objective)
        return f"best {best.figures['psnr']:.2f} dB (trial {best.number})" if best else ""

    def _left(self, of_this: float) -> str:
        results = read_results(self._study)
        ended = [result for result in results if result.status != "running"]
        took = [result.seconds for result in ended if result.seconds]
        left = math.inf
        if self._limits.trials is not None:
            each = statistics.mean(took) if took else time.monotonic() - self._began + of_this
            after = max(0, self._limits.trials - len(results))
            left = of_this + after * each / self._workers
        left = min(left, max(of_this, self._limits.until - time.time()))
        return f"about {describe_duration(left)} left" if math.isfinite(left) else ""


def describe_values(values: dict[str, Any]) -> str:
    """Says what a trial has of its own."""
    return ", ".join(f"{name} {describe_value(value)}" for name, value in values.items())


def describe_value(value: Any) -> str:
    """Says one value, numbers as short as they are exact."""
    if isinstance(value, list | tuple):
        return "/".join(map(describe_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def describe_duration(seconds: float) -> str:
    """Says a time."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 1:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min"
