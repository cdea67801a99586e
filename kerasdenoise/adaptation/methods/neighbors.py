"""Further training of the whole model on pairs of neighboring pixels (Neighbor2Neighbor)."""

from __future__ import annotations

from typing import Any

from kerasdenoise.adaptation.crops import Crops
from kerasdenoise.adaptation.methods.method import Method, find_source, read_config
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.errors import ModelError
from kerasdenoise.training.tasks.neighbor2neighbor import find_steps
from kerasdenoise.zoo import ModelInfo


class Neighbors(Method):
    """Trains the model that there is; see `training.tasks.neighbor2neighbor`."""

    name = "neighbors"
    objective = "neighbor2neighbor"
    steps = 1000
    rate = 2e-4

    @classmethod
    def is_chosen(cls, survey: Survey) -> bool:
        """For noise that a column or a row shares, and pixels beside each other do not."""
        return survey.kind == "lines"

    @classmethod
    def warn(cls, survey: Survey) -> str:
        """Noise that pixels share is another kind of noise in photos of every other pixel."""
        if survey.kind != "correlated":
            return ""
        return (
            f"the noise is {survey.describe_kind()}: this method learns from pixels that are "
            "farther apart, where the noise looks different from that of whole photos"
        )

    @classmethod
    def find_multiple(cls, base: ModelInfo, survey: Survey) -> int:
        """Patches are subsampled before the network sees them."""
        return base.stride * 2 * max(find_steps(survey.reach))

    @classmethod
    def plan_model(cls, base: ModelInfo, survey: Survey, crops: Crops) -> dict[str, Any]:
        """Starts from the model's weights."""
        del survey, crops
        return start_from(base)


def start_from(base: ModelInfo) -> dict[str, Any]:
    """Plans the network of a saved model, with its weights.

    Raises:
        ModelError: Nobody can tell it the level of the noise, as it demands.
    """
    entry = read_config(base)
    if base.takes_noise_level:
        raise ModelError(
            base.name,
            "needs the noise level, which is unknown for these photos",
            "give --from a model that estimates it, such as photo",
        )
    return {
        "architecture": entry["architecture"],
        "config": entry["config"],
        "initial_weights": find_source(base),
    }
