"""All that was measured, as the page and the picture need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.quality.cache import Row
from benchmarks.quality.measuring import Scores, mean
from benchmarks.quality.methods import Method
from benchmarks.quality.sets import ImageSet


@dataclass(frozen=True)
class Report:
    """All that was measured.

    Attributes:
        models: The saved models.
        peers: The peers that are installed.
        rows: Figures of each image, in the order of their names.
        seconds: Seconds per megapixel by title.
        threads: The number of threads that these took.
    """

    models: Sequence[Method]
    peers: Sequence[Method]
    rows: Mapping[Row, Sequence[Scores]]
    seconds: Mapping[str, float]
    threads: int

    def count(self, images: str, noise: str) -> int:
        """The most images of a set that any denoiser was measured on."""
        return max((len(self._scores(m.title, images, noise)) for m in self._all), default=0)

    def scores(
        self, method: Method, images: str, noise: str, count: int | None = None
    ) -> Scores | None:
        """Mean figures over all images of a set, or over the first ones.

        None if the denoiser was not measured on all of these.
        """
        wanted = self.count(images, noise)
        wanted = wanted if count is None else min(count, wanted)
        scores = self._scores(method.title, images, noise)[:wanted]
        return mean(scores) if scores and len(scores) == wanted else None

    def models_on(self, *sets: ImageSet) -> list[Method]:
        """The saved models that were measured on any of these sets."""
        titles = {(row.method, row.images) for row in self.rows}
        return [m for m in self.models if any((m.title, s.title) in titles for s in sets)]

    @property
    def _all(self) -> list[Method]:
        return [*self.models, *self.peers]

    def _scores(self, title: str, images: str, noise: str) -> Sequence[Scores]:
        return self.rows.get(Row(title, images, noise), ())
