"""A curve of pixel values around the model, which itself stays as it is (Noise2VST)."""

from __future__ import annotations

from typing import Any

import numpy as np

from kerasdenoise.adaptation.crops import Crops
from kerasdenoise.adaptation.methods.method import Method, find_source, read_config
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.errors import ModelError
from kerasdenoise.pixels import to_pixels
from kerasdenoise.zoo import ModelInfo

# Rarer pixel values than this share, at each end, are beyond the curve's knots.
_RARE = 0.0005


class Quick(Method):
    """Learns some 130 numbers, in minutes; see `training.tasks.noise2vst`."""

    name = "quick"
    objective = "noise2vst"
    steps = 300
    rate = 0.03
    momentum = 0.9

    @classmethod
    def is_chosen(cls, survey: Survey) -> bool:
        """For white noise."""
        return survey.kind == "white"

    @classmethod
    def warn(cls, survey: Survey) -> str:
        """Noise that pixels share is no matter of single pixels."""
        if survey.kind == "white":
            return ""
        return (
            f"the noise is {survey.describe_kind()}, and a curve of pixel values makes its level "
            "even, but cannot remove what pixels share"
        )

    @classmethod
    def plan_model(cls, base: ModelInfo, survey: Survey, crops: Crops) -> dict[str, Any]:
        """Puts the model behind a curve, fitted to the range of the photos."""
        entry = read_config(base)
        if entry["architecture"] == "stabilized":
            raise ModelError(
                base.name,
                "has learned from photos already",
                "give --from the model that it came from",
            )
        denoiser = {key: value for key, value in entry["config"].items() if key != "channels"}
        is_told = base.follows_level
        if is_told:
            denoiser |= {"noise_level": True, "estimates_level": False}
            if "estimates_level" not in entry["config"]:
                del denoiser["estimates_level"]
        pixels = to_pixels(crops.learned)
        low, high = (float(each) for each in np.quantile(pixels, (_RARE, 1 - _RARE)))
        return {
            "architecture": "stabilized",
            "part_weights": {"denoiser": find_source(base)},
            "config": {
                "channels": base.channels,
                "architecture": entry["architecture"],
                "denoiser": denoiser,
                "low": low,
                "high": max(high, low + 1e-6),
                "level": survey.sigma,
                "estimates_level": is_told,
            },
        }
