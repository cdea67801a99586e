"""The levels of quality, and what each asks of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

from kerasdenoise.errors import UsageError
from kerasdenoise.inference.turns import ALL_TURNS, UPRIGHT, Turn
from kerasdenoise.zoo import ModelInfo

Quality = Literal["fast", "balanced", "best"]
"""`fast`: the model's file of 8-bit integers, which goes by no noise level and gives 256 values.
`balanced`: the model. `best`: the mean of the model's results for all eight flips and turns of
the image, which takes eight times as long (Timofte et al., "Seven ways to improve example-based
single image super resolution", CVPR 2016, for any denoiser)."""

QUALITIES: tuple[Quality, ...] = get_args(Quality)


def fit_quality(info: ModelInfo, quality: Quality, sigma: float | None) -> ModelInfo:
    """Returns a model as it is run at a quality.

    Args:
        info: The model.
        quality: The quality.
        sigma: The level of the noise that it shall be told, or None.

    Raises:
        UsageError: There is no such quality, or, at `fast`, the model has no file of 8-bit
            integers, or a level is told, by which such a file cannot go.
    """
    if quality not in QUALITIES:
        raise UsageError(
            f"quality {quality!r}", "there is none such", f"use {', '.join(QUALITIES)}"
        )
    if quality != "fast":
        return info
    if info.int8_path is None:
        raise UsageError(
            "quality 'fast'",
            f"the model {info.name} has no file of 8-bit integers that runs in tiles",
            "use 'balanced', or a model that has one",
        )
    if sigma is not None:
        raise UsageError(
            f"sigma {255 * sigma:g}/255",
            "quality 'fast' goes by no noise level",
            "leave it out, or use 'balanced'",
        )
    return dataclasses.replace(info, runs_int8=True, takes_noise_level=False, estimates_level=False)


def turns_of(quality: Quality) -> Sequence[Turn]:
    """Returns the ways in which the model sees an image at a quality."""
    return ALL_TURNS if quality == "best" else UPRIGHT
