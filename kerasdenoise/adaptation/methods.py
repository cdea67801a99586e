"""Which way of learning suits which noise, and the recipe that it follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tomli_w

from kerasdenoise.adaptation.crops import Crops
from kerasdenoise.adaptation.survey import Survey
from kerasdenoise.errors import ModelError, UsageError
from kerasdenoise.pixels import to_pixels
from kerasdenoise.plain_json import read_object
from kerasdenoise.training.recipe import Recipe, parse_recipe
from kerasdenoise.zoo import ModelInfo

Method = Literal["quick"]
"""`quick`: a curve of pixel values around the model, which itself stays as it is (Noise2VST)."""

SEED = 20261130

# Rarer pixel values than this share, at each end, are beyond the curve's knots.
_RARE = 0.0005

_STEPS = 300
_INTERVAL = 50
_PATCH = 96
_RATE = 0.03


@dataclass(frozen=True)
class Choice:
    """How to learn.

    Attributes:
        method: By which method.
        reason: Why.
        warning: Why it will hardly succeed; empty if nothing speaks against it.
    """

    method: Method
    reason: str
    warning: str = ""


def choose_method(survey: Survey, asked: Method | None = None) -> Choice:
    """Chooses the method that the noise allows.

    Args:
        survey: What the photos are like.
        asked: The method that the user wants, whatever the noise.

    Raises:
        UsageError: Nothing can be learned from single photos with this noise.
    """
    noise = survey.describe_kind()
    if survey.kind == "white":
        reason = "asked for" if asked else f"the noise is {noise}"
        return Choice("quick", reason)
    if asked is None:
        raise UsageError(
            survey.photos[0].file.parent,
            f"has noise that is {noise}, which a single photo does not tell apart from the scene",
            "use the model as it is, give raw files, or try --method quick",
        )
    return Choice(
        asked,
        "asked for",
        f"the noise is {noise}: what neighbors share, this method cannot tell from the scene, and "
        "its measure rewards keeping it",
    )


def write_recipe(name: str, base: ModelInfo, survey: Survey, crops: Crops, root: str) -> Recipe:
    """Writes the recipe of the method `quick`.

    Args:
        name: What the model will be called.
        base: The model to start from.
        survey: What the photos are like.
        crops: What it learns from.
        root: Folder of the archive `crops.npz`.

    Raises:
        ModelError: The model cannot stand behind a curve.
    """
    entry = read_object(base.folder / "config.json", ModelError)
    if entry["architecture"] == "stabilized":
        raise ModelError(
            base.name, "has learned from photos already", "give --from the model that it came from"
        )
    denoiser = {key: value for key, value in entry["config"].items() if key != "channels"}
    is_told = base.follows_level
    if is_told:
        denoiser |= {"noise_level": True, "estimates_level": False}
        if "estimates_level" not in entry["config"]:
            del denoiser["estimates_level"]
    pixels = to_pixels(crops.learned)
    low, high = (float(each) for each in np.quantile(pixels, (_RARE, 1 - _RARE)))
    crop = crops.learned.shape[1]
    content: dict[str, Any] = {
        "name": name,
        "summary": f"{base.name}, adapted to the noise of {_describe_origin(survey)}",
        "seed": SEED,
        "model": {
            "architecture": "stabilized",
            "part_weights": {"denoiser": base.name},
            "license": base.metadata.get("license", "Apache-2.0"),
            "config": {
                "channels": base.channels,
                "architecture": entry["architecture"],
                "denoiser": denoiser,
                "low": low,
                "high": max(high, low + 1e-6),
                "level": survey.sigma,
                "estimates_level": is_told,
            },
        },
        "data": {
            "root": root,
            "train": ["crops.npz:learned"],
            "validation": ["crops.npz:held_out"],
            "license": "your own photos",
            "patch_size": min(_PATCH, crop),
            "margin": 0,
            "batch_size": 4,
        },
        "noise": [{"kind": "own"}],
        "optimization": {
            "objective": "noise2vst",
            "loss": "l2",
            "steps": _STEPS,
            "learning_rate": _RATE,
            "warmup_steps": 10,
            "decay_fraction": 0.5,
            "ema_momentum": 0.9,
            "global_clipnorm": 0.0,
        },
        "validation": {
            "interval": _INTERVAL,
            "images": 8,
            "crop_size": min(128, crop),
            "noises": ["own"],
        },
    }
    return parse_recipe(tomli_w.dumps(content), name)


def _describe_origin(survey: Survey) -> str:
    cameras = ", ".join(sorted(survey.cameras))
    photos = survey.describe_count()
    return f"{photos} of {cameras}" if cameras else photos
