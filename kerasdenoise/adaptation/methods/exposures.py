"""Further training of the whole model on several photos of each scene: bursts and pairs."""

from __future__ import annotations

from typing import Any

from kerasdenoise.adaptation.crops import Crops
from kerasdenoise.adaptation.methods.method import Method
from kerasdenoise.adaptation.methods.neighbors import start_from
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.zoo import ModelInfo


class Burst(Method):
    """Takes exposures of a scene for each other's target; see `training.tasks.pairs`."""

    name = "burst"
    objective = "pairs"
    steps = 1000
    rate = 2e-4
    learns_from_scenes = True

    @classmethod
    def warn(cls, survey: Survey) -> str:
        """What a sensor does to each exposure alike is no noise to be learned."""
        if survey.kind != "lines":
            return ""
        return (
            f"the noise is {survey.describe_kind()}, which is often the same in each exposure: "
            "that part is kept"
        )

    @classmethod
    def plan_model(cls, base: ModelInfo, survey: Survey, crops: Crops) -> dict[str, Any]:
        """Starts from the model's weights."""
        del survey, crops
        return start_from(base)


class Pairs(Burst):
    """Takes a clean photo of the scene, or another noisy one, for the target."""

    name = "pairs"

    @classmethod
    def warn(cls, survey: Survey) -> str:
        """Any noise can be learned from pairs."""
        del survey
        return ""
