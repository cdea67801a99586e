"""Which LiteRT files can be made of a network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kerasdenoise.errors import UsageError

Kind = Literal["float32", "float16", "dynamic", "int8", "int16x8"]
Target = Literal["cpu", "mobile"]


@dataclass(frozen=True)
class Variant:
    """One LiteRT file of a network.

    Attributes:
        kind: What it computes with; see `kinds.write_kind`.
        target: `cpu`, the network as it is, or `mobile`, what the GPUs and NPUs of phones take
            whole; see `mobile.make_mobile`.
        size: Height and width of its images, or None for any.
    """

    kind: Kind = "float32"
    target: Target = "cpu"
    size: int | None = None

    @property
    def name(self) -> str:
        """The file's name without its suffix, such as `mobile_256_int8`."""
        parts = ["mobile" if self.target == "mobile" else "model"]
        parts += [str(self.size)] if self.size else []
        parts += [self.kind] if self.kind != "float32" else []
        return "_".join(parts)

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.name}.tflite"

    def check(self, stride: int, halo: int = 0) -> None:
        """Refuses a size that a network cannot have, or of which a photo gets nothing.

        Args:
            stride: What height and width are multiples of.
            halo: Pixels at each border of a tile that are cut off; 0 for networks that tiles do
                not suit.

        Raises:
            UsageError: The size is no such multiple, is all halo, or is missing.
        """
        if self.size is None:
            if self.target == "mobile":
                raise UsageError(
                    "--size dynamic",
                    "is nothing that a phone's GPU or NPU takes",
                    "give the edge of a tile, as by --size 256",
                )
        elif self.size < 1 or self.size % stride:
            below = max(stride, self.size // stride * stride)
            raise UsageError(
                f"--size {self.size}",
                f"is no multiple of {stride}, which this model's images are",
                f"give {below} or {below + stride}",
            )
        elif self.size <= 2 * halo:
            raise UsageError(
                f"--size {self.size}",
                f"leaves nothing of a tile: {halo} pixels at each border are cut off",
                f"give {2 * halo + stride} at least, or {4 * halo} for half of the arithmetic",
            )
