"""A tiny network from nothing, by the halves of a checkerboard (as in Noise2Fast)."""

from __future__ import annotations

from kerasdenoise.adaptation.methods.zero_shot import ZeroShot


class Fast(ZeroShot):
    """As `zero-shot`, of single pixels and not of their means; see `training.tasks.checkerboard`.

    Better where the noise is one of few photons or clipped, and a mean of two has another.
    """

    name = "fast"
    objective = "checkerboard"
