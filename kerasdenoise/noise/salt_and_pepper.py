"""Pixels replaced by black and white."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import keras

from kerasdenoise.noise.base import Noise, parse_range, per_image
from kerasdenoise.tensors import Tensor


@dataclass(frozen=True)
class SaltAndPepper(Noise):
    """Sets a random share of the values to 1 (salt) or 0 (pepper).

    Attributes:
        low: The smallest share of lost values.
        high: The largest; each image's share is uniform between the two.
        salt: Share of the lost values that become 1.
        per_channel: Whether channels are lost separately, or whole pixels.
    """

    kind: ClassVar[str] = "salt_and_pepper"

    low: float = 0.05
    high: float = 0.05
    salt: float = 0.5
    per_channel: bool = True

    @classmethod
    def parse(cls, argument: str) -> Self:
        """Reads nothing, `0.05` or `0-0.35`: shares; after `pixel:`, of whole pixels."""
        shares = argument.removeprefix("pixel:")
        low, high = parse_range(cls.kind, shares, 1.0) if argument else (cls.low, cls.high)
        return cls(low, high, per_channel=shares == argument)

    def __call__(self, clean: Tensor, seed: keras.random.SeedGenerator) -> Tensor:
        """Replaces the values; see `Noise.__call__`."""
        ops = keras.ops
        batch, height, width, channels = ops.shape(clean)
        independent = channels if self.per_channel else 1
        lost = per_image(clean, self.low, self.high, seed)
        place = keras.random.uniform(
            (batch, height, width, independent), dtype="float32", seed=seed
        )
        noisy = ops.where(place < lost, 0.0, clean)
        return ops.where(place < self.salt * lost, 1.0, noisy)
