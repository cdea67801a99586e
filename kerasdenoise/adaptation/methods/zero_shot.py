"""A tiny network from nothing, by pairs of means of one photo (ZS-N2N)."""

from __future__ import annotations

from typing import Any

from kerasdenoise.adaptation.crops import Crops
from kerasdenoise.adaptation.methods.method import Method
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.zoo import ModelInfo


class ZeroShot(Method):
    """Knows only the photos; see `training.tasks.zero_shot`."""

    name = "zero-shot"
    objective = "zero_shot"
    steps = 1500
    interval = 100
    rate = 1e-3
    is_new = True

    @classmethod
    def warn(cls, survey: Survey) -> str:
        """Noise that neighbors share looks like the scene."""
        if survey.kind == "white":
            return ""
        return f"the noise is {survey.describe_kind()}: what pixels share, this method keeps"

    @classmethod
    def find_multiple(cls, base: ModelInfo, survey: Survey) -> int:
        """Patches are halved before the network sees them."""
        del base, survey
        return 2

    @classmethod
    def plan_model(cls, base: ModelInfo, survey: Survey, crops: Crops) -> dict[str, Any]:
        """Three convolutions, as in the paper, of 3x3 each."""
        del survey, crops
        return plan_tiny(base.channels)


def plan_tiny(channels: int) -> dict[str, Any]:
    """Plans a network of three convolutions: so few that it learns no noise by heart."""
    return {
        "architecture": "dncnn",
        "config": {
            "channels": channels,
            "depth": 3,
            "width": 48,
            "activation": "leaky_relu",
            "normalization": False,
        },
    }
