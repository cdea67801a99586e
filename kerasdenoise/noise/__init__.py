"""Corruptions of images: one file per kind, all drawn with `keras.ops`."""

from __future__ import annotations

import dataclasses
import difflib

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Noise, corrupt_arrays
from kerasdenoise.noise.blur import Blur
from kerasdenoise.noise.camera import Camera
from kerasdenoise.noise.compressed import Compressed
from kerasdenoise.noise.film import Film
from kerasdenoise.noise.gaussian import Gaussian
from kerasdenoise.noise.inpainting import Inpainting
from kerasdenoise.noise.mixture import Mixture
from kerasdenoise.noise.pixelate import Pixelate
from kerasdenoise.noise.poisson import Poisson
from kerasdenoise.noise.salt_and_pepper import SaltAndPepper
from kerasdenoise.noise.speckle import Speckle

__all__ = [
    "KINDS",
    "Blur",
    "Camera",
    "Compressed",
    "Film",
    "Gaussian",
    "Inpainting",
    "Mixture",
    "Noise",
    "Pixelate",
    "Poisson",
    "SaltAndPepper",
    "Speckle",
    "corrupt_arrays",
    "parse_noise",
]

KINDS: dict[str, type[Noise]] = {
    noise.kind: noise
    for noise in (
        Gaussian,
        Camera,
        Compressed,
        Film,
        Poisson,
        Speckle,
        SaltAndPepper,
        Blur,
        Inpainting,
        Pixelate,
    )
}


def parse_noise(text: str) -> Noise:
    """Builds a corruption from `kind` or `kind:argument`, as in `gaussian:25`.

    Raises:
        UsageError: The kind is unknown or its argument is invalid.
    """
    kind, _, argument = text.partition(":")
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known kinds: {', '.join(KINDS)}"
        raise UsageError(text, "unknown kind of noise", hint)
    return dataclasses.replace(KINDS[kind].parse(argument), text=text)
