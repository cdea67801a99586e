"""How a photo is denoised: what is asked for, in one object from the command line to the blend."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal, get_args

from kerasdenoise.errors import UsageError
from kerasdenoise.zoo import ModelInfo

Quality = Literal["fast", "balanced", "best"]
"""`fast`: the model's file of 8-bit integers, which goes by no noise level and gives 256 values.
`balanced`: the model. `best`: the mean of the model's results for all eight flips and turns of
the image, which takes eight times as long (Timofte et al., "Seven ways to improve example-based
single image super resolution", CVPR 2016, for any denoiser)."""

QUALITIES: tuple[Quality, ...] = get_args(Quality)

# Twice the level of the noise: further away from the truth, networks have learned nothing.
STRONGEST = 2.0

DETAIL_MARGIN = 21
"""How far around a pixel `detail` looks: 6 pixels for two levels of wavelets, 15 for a window."""


@dataclass(frozen=True)
class DenoiseSettings:
    """How to denoise, whichever the image.

    Attributes:
        strength: Up to 1, the share of the detected noise to remove; above 1 and up to 2, for a
            model that goes by a noise level, how many times as strong it takes the noise to be.
        luma: What `strength` is multiplied by for brightness (luma by ITU-R BT.601), in [0, 2].
        chroma: What it is multiplied by for color. For both, products may be up to 2.
        detail: The share that is given back of fine luma detail which the model removed, in
            [0, 1], where it is more than noise.
        keep_grain: The share of what is then removed that is given back, in [0, 1], as luma.
        sigma: Standard deviation of the noise on the [0, 1] scale; estimated if None.
        quality: See `Quality`.

    Raises:
        UsageError: A value is outside of its range.
    """

    strength: float = 1.0
    luma: float = 1.0
    chroma: float = 1.0
    detail: float = 0.0
    keep_grain: float = 0.0
    sigma: float | None = None
    quality: Quality = "balanced"

    def __post_init__(self) -> None:
        _check_range("strength", self.strength, STRONGEST, "use 0 for no change, 1 for all of it")
        for name, product in self._products().items():
            remedy = "use 0 for no change, 1 for as much as strength says"
            _check_range(name, getattr(self, name), STRONGEST, remedy)
            if product > STRONGEST:
                raise UsageError(
                    f"{name} {getattr(self, name):g}",
                    f"times strength {self.strength:g} it is {product:g}, which is more than 2",
                    "lower one of them",
                )
        _check_range("detail", self.detail, 1, "use 0 for none, 1 for all that is found")
        _check_range("grain", self.keep_grain, 1, "use 0 for none, 1 for all of it")
        if self.sigma is not None and not 0.0 <= self.sigma <= 1.0:  # also catches NaN
            raise UsageError(_name(self.sigma), "not between 0 and 255", "give that of the noise")
        if self.quality not in QUALITIES:
            raise UsageError(
                f"quality {self.quality!r}", "there is none such", f"use {', '.join(QUALITIES)}"
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
        """How many pixels around a tile must be denoised as well, to mix those in it."""
        return DETAIL_MARGIN if self.detail and self.luma_strength else 0

    def factors(self, channels: int) -> tuple[float, ...]:
        """Returns what the level of the noise is multiplied by, in each run of the model.

        Args:
            channels: Of the image, 1 or 3.

        Returns:
            One factor for a run that serves luma and chroma; two, first that for luma, if these
            must differ; none if nothing is to be changed.
        """
        strengths = [self.luma_strength, *([self.chroma_strength] if channels > 1 else [])]
        return tuple(dict.fromkeys(max(each, 1.0) for each in strengths if each))

    def fit(self, info: ModelInfo) -> ModelInfo:
        """Returns a model as it is run with these settings.

        Args:
            info: The model, or what this returned for it.

        Raises:
            UsageError: The model has no file of 8-bit integers for `quality` "fast", or goes by
                no noise level, which `sigma` and a strength above 1 need.
        """
        fitted = self._fit_quality(info)
        if self.sigma is not None and not fitted.follows_level:
            raise UsageError(
                _name(self.sigma),
                f"the model {info.name} finds the level of the noise by itself",
                "leave it out, or use strength for less denoising",
            )
        for name, product in self._products().items():
            if product > 1.0 and not fitted.follows_level:
                cause = f"the model {info.name} cannot be told that there is more noise than it"
                one = getattr(self, name) == 1.0
                raise UsageError(
                    f"strength {self.strength:g}" if one else f"{name} {getattr(self, name):g}",
                    f"{cause} finds" if one else f"times strength {self.strength:g}, {cause} finds",
                    "use 1 or less, or a model that goes by a noise level, and not quality fast",
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
                f"the model {info.name} has no file of 8-bit integers that runs in tiles",
                "use 'balanced', or a model that has one",
            )
        if self.sigma is not None:
            raise UsageError(
                _name(self.sigma),
                "quality 'fast' goes by no noise level",
                "leave it out, or use 'balanced'",
            )
        return dataclasses.replace(
            info, runs_int8=True, takes_noise_level=False, estimates_level=False
        )


def _check_range(name: str, value: float, most: float, remedy: str) -> None:
    if not 0.0 <= value <= most:  # also catches NaN
        raise UsageError(f"{name} {value:g}", f"not between 0 and {most:g}", remedy)


def _name(sigma: float) -> str:
    return f"sigma {255 * sigma:g}/255"
