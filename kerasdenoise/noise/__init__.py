"""Kinds of noise and other corruptions of images, all drawn with `keras.ops`."""

from __future__ import annotations

import dataclasses
import difflib

from kerasdenoise.errors import UsageError
from kerasdenoise.noise.base import Mixture, Noise, corrupt_arrays
from kerasdenoise.noise.camera import Camera
from kerasdenoise.noise.degradations import Blur, Inpainting, Pixelate
from kerasdenoise.noise.grainy import Compressed, Film
from kerasdenoise.noise.own import Own
from kerasdenoise.noise.pixelwise import Gaussian, Poisson, SaltAndPepper, Speckle

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
    "Own",
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
        Own,
    )
}


def parse_noise(text: str) -> Noise:
    """Builds noise from `kind` or `kind:argument`, as in `gaussian:25`.

    Raises:
        UsageError: The kind is unknown or its argument is invalid.
    """
    kind, _, argument = text.partition(":")
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known kinds: {', '.join(KINDS)}"
        raise UsageError(text, "unknown kind of noise", hint)
    return dataclasses.replace(KINDS[kind].parse(argument), text=text)
