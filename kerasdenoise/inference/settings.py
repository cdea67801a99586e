"""The settings for denoising, in one object from the command line to the blend."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

from kerasdenoise.errors import UsageError
from kerasdenoise.zoo import ModelInfo

Quality = Literal["fast", "balanced", "best"]
"""`fast`: the model's 8-bit integer file, which uses no noise level and gives 256 levels.
`balanced`: the model. `best`: the mean of the model's results for all eight flips and rotations
of the image, which takes eight times as long (Timofte et al., "Seven ways to improve example-based
single image super resolution", CVPR 2016, for any denoiser)."""

QUALITIES: tuple[Quality, ...] = get_args(Quality)

# Twice the noise level; networks have learned nothing about larger errors.
STRONGEST = 2.0

HIGHEST_SEED = 4090
"""The last seed of `layers.ContentNoise`."""

DETAIL_MARGIN = 21
"""Pixels around a pixel that `detail` uses: 6 for two wavelet levels, 15 for a window."""


@dataclass(frozen=True)
class DenoiseSettings:
    """How to denoise any image.

    Attributes:
        strength: Up to 1, the share of the detected noise to remove. Above 1 and up to 2, for a
            model that uses a noise level, the factor by which the noise is taken to be stronger.
        luma: Multiplies `strength` for brightness (luma by ITU-R BT.601), in [0, 2].
        chroma: Multiplies `strength` for color. Both products may be up to 2.
        detail: The share of removed fine luma detail to restore, in [0, 1], where it is more
            than noise.
        keep_grain: The share of the removed noise to restore, in [0, 1], as luma.
        sigma: Standard deviation of the noise on the [0, 1] scale; estimated if None.
        quality: See `Quality`.
        naturalness: For a model that adds detail: from 0 for the least error, which leaves the
            detail out, to 1 for all of it, which looks most natural and is invented. None for 1.
        seed: For such a model, which of many details is drawn, 0 to 4090. None for 0.

    Raises:
        UsageError: A value is out of range.
    """

    strength: float = 1.0
    luma: float = 1.0
    chroma: float = 1.0
    detail: float = 0.0
    keep_grain: float = 0.0
    sigma: float | None = None
    quality: Quality = "balanced"
    naturalness: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        _check_range("strength", self.strength, STRONGEST, "use 0 for no change, 1 for all")
        for name, product in self._products().items():
            remedy = "use 0 for no change, 1 for as much as strength"
            _check_range(name, getattr(self, name), STRONGEST, remedy)
            if product > STRONGEST:
                raise UsageError(
                    f"{name} {getattr(self, name):g}",
                    f"times strength {self.strength:g} is {product:g}, which is more than 2",
                    "lower one of them",
                )
        _check_range("detail", self.detail, 1, "use 0 for none, 1 for all")
        _check_range("keep_grain", self.keep_grain, 1, "use 0 for none, 1 for all")
        if self.sigma is not None and not 0.0 <= self.sigma <= 1.0:  # also catches NaN
            raise UsageError(_name(self.sigma), "is not between 0 and 255", "give the noise level")
        if self.quality not in QUALITIES:
            raise UsageError(
                f"quality {self.quality!r}", "is unknown", f"use {', '.join(QUALITIES)}"
            )
        if self.naturalness is not None:
            remedy = "use 0 for the least error, 1 for the most natural look"
            _check_range("naturalness", self.naturalness, 1, remedy)
        if self.seed is not None and not 0 <= self.seed <= HIGHEST_SEED:
            raise UsageError(
                f"seed {self.seed}", f"is not between 0 and {HIGHEST_SEED}", "give such a number"
            )

    @property
    def luma_strength(self) -> float:
        """How much of the noise in luma to remove, in [0, 2]."""
        return self.strength * self.luma

    @property
    def chroma_strength(self) -> float:
        """How much of the noise in color to remove, in [0, 2]."""
        return self.strength * self.chroma

    @property
    def margin(self) -> int:
        """How many pixels around a tile must also be denoised, to mix those inside."""
        return DETAIL_MARGIN if self.detail and self.luma_strength else 0

    def factors(self, channels: int) -> tuple[float, ...]:
        """Returns the factor of the noise level for each run of the model.

        Args:
            channels: Channels of the image, 1 or 3.

        Returns:
            One factor if luma and chroma share a run; two, luma's first, if they differ; none if
            nothing changes.
        """
        strengths = [self.luma_strength, *([self.chroma_strength] if channels > 1 else [])]
        return tuple(dict.fromkeys(max(each, 1.0) for each in strengths if each))

    def fit(self, info: ModelInfo) -> ModelInfo:
        """Returns the model as it runs with these settings.

        Args:
            info: The model, or a result of this method for it.

        Raises:
            UsageError: The model has no 8-bit integer file for `quality` "fast", uses no noise
                level, which `sigma` and a strength above 1 need, or adds no detail, which
                `naturalness` and `seed` are about.
        """
        fitted = self._fit_detail(self._fit_quality(info))
        if self.sigma is not None and not fitted.follows_level:
            raise UsageError(
                _name(self.sigma),
                f"the model {info.name} takes no noise level",
                "leave it out, or use strength for less denoising",
            )
        highest = fitted.highest_level
        if self.sigma is not None and highest is not None and self.sigma > highest:
            raise UsageError(
                _name(self.sigma),
                f"is above {255 * highest:g}/255, the most that the model {info.name} has learned",
                "give that level or less, or use a model such as photo",
            )
        for name, product in self._products().items():
            if product > 1.0 and not fitted.follows_level:
                cause = f"is above 1, but the model {info.name} takes no noise level"
                one = getattr(self, name) == 1.0
                raise UsageError(
                    f"strength {self.strength:g}" if one else f"{name} {getattr(self, name):g}",
                    cause if one else f"times strength {self.strength:g} {cause}",
                    "use 1 or less, or a model that takes a noise level, without quality 'fast'",
                )
        return fitted

    def _products(self) -> dict[str, float]:
        return {"luma": self.luma_strength, "chroma": self.chroma_strength}

    def _fit_quality(self, info: ModelInfo) -> ModelInfo:
        if self.quality != "fast":
            return info
        if info.int8_path is None:
            raise UsageError(
                "quality 'fast'",
                f"needs a file of 8-bit integers, which the model {info.name} lacks",
                "use 'balanced', or another model",
            )
        if self.sigma is not None:
            raise UsageError(
                _name(self.sigma),
                "cannot be combined with quality 'fast', which uses no noise level",
                "leave it out, or use 'balanced'",
            )
        return dataclasses.replace(
            info, runs_int8=True, takes_noise_level=False, estimates_level=False
        )

    def _fit_detail(self, info: ModelInfo) -> ModelInfo:
        for name in ("naturalness", "seed"):
            value = getattr(self, name)
            if value is not None and not info.has_detail:
                raise UsageError(
                    f"{name} {value:g}",
                    f"the model {info.name} adds no detail, so this setting does not apply",
                    "leave it out, or use a model such as photo_natural",
                )
        if not info.has_detail:
            return info
        if self.naturalness == 0:
            return dataclasses.replace(info, leaves_detail_out=True, radius=info.mean_radius)
        if self.quality != "balanced":
            raise UsageError(
                f"quality {self.quality!r}",
                f"does not work with the model {info.name}, which adds different detail each time",
                "use 'balanced', or naturalness 0",
            )
        return info


def _check_range(name: str, value: float, most: float, remedy: str) -> None:
    if not 0.0 <= value <= most:  # also catches NaN
        raise UsageError(f"{name} {value:g}", f"is not between 0 and {most:g}", remedy)


def _name(sigma: float) -> str:
    return f"sigma {255 * sigma:g}/255"
