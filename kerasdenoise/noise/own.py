"""The noise that photos have of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise
from kerasdenoise.tensors import Tensor

Reach = tuple[int | None, int | None]
"""Over how many pixels down and across noise is shared; None for a whole column or row."""

# As far apart as pixels may share their noise.
_FARTHEST = 8
_LINES: dict[str, Reach] = {"columns": (None, 0), "rows": (0, None)}


@dataclass(frozen=True)
class Own(Noise):
    """Adds nothing: the photos are noisy already, and there are no clean ones.

    Only training tasks that need no clean image can learn from it, and they must know which pixels
    share their noise: `own` for none, `own:2` for those up to two apart, `own:columns`, `own:rows`.

    Attributes:
        reach: Over how many pixels noise is shared.
    """

    kind: ClassVar[str] = "own"
    keeps_tone: ClassVar[bool] = True

    reach: Reach = (0, 0)

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads over how many pixels noise is shared."""
        if not argument or argument in _LINES:
            return cls(_LINES.get(argument, (0, 0)))
        if argument.isascii() and argument.isdigit() and int(argument) <= _FARTHEST:
            return cls((int(argument), int(argument)))
        raise UsageError(
            f"{cls.kind}:{argument}",
            f"needs a whole number of pixels up to {_FARTHEST}, or columns or rows",
            f"write '{cls.kind}', '{cls.kind}:2' or '{cls.kind}:columns'",
        )

    @property
    def zero_mean(self) -> bool:
        """True: that is what those tasks assume."""
        return True

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Returns the images as they are; see `Noise.__call__`."""
        del seed
        return clean
