"""Figures that others published, for rows that say so; none of them is measured here."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from denoisers.methods import Cost

SOURCES = {
    "color": "https://github.com/JingyunLiang/SwinIR/blob/main/figs/color_image_denoising.png",
    "gray": "https://github.com/JingyunLiang/SwinIR/blob/main/figs/gray_image_denoising.png",
    "kodak": "32.15 dB is unconfirmed. This table and DPIR's "
    "(https://github.com/cszn/DPIR/blob/master/figs/color_psnr.png) print it, but it is 1.44 dB "
    "above CBSD68, where the networks are 0.90 to 1.02 dB above, so it may be a copied misprint",
    "grl": "https://github.com/ofsoundof/GRL-Image-Restoration/blob/main/figs/task3.png",
    "art": "https://github.com/gladzhang/ART/blob/main/figs/ColorDN.png",
    "art_real": "https://github.com/gladzhang/ART/blob/main/figs/RealDN.png",
    "layers": "Computed from the layers of the authors' code, "
    "https://github.com/cszn/KAIR/tree/master/models",
}

# Arithmetic that is published as a number for an image of this size.
_EDGE = 256


@dataclass(frozen=True)
class Published:
    """A denoiser as its authors, or others, measured it.

    Attributes:
        title: What tables call it.
        told: Whether it knows sigma; a network for each sigma does as well.
        cost: What it computes, if it is a network.
        psnr: PSNR in dB at sigma 15, 25 and 50, by the set's title.
        sources: Keys of SOURCES.
    """

    title: str
    told: bool
    cost: Cost | None
    psnr: dict[str, tuple[float, float, float]]
    sources: tuple[str, ...]


def _convolutions(*layers: tuple[int, int, int, int, float], bias: bool = True) -> Cost:
    """The cost of convolutions, each (count, kernel, inputs, outputs, outputs' share of pixels)."""
    weights = [count * kernel**2 * inputs * outputs for count, kernel, inputs, outputs, _ in layers]
    biases = sum(count * outputs for count, _, _, outputs, _ in layers) if bias else 0
    mac = sum(weight * layer[4] for weight, layer in zip(weights, layers, strict=True))
    return Cost(sum(weights) + biases, mac)


def _plain(inputs: int, width: int, depth: int, outputs: int, share: float = 1.0) -> Cost:
    """The cost of a row of 3x3 convolutions of one width."""
    return _convolutions(
        (1, 3, inputs, width, share),
        (depth - 2, 3, width, width, share),
        (1, 3, width, outputs, share),
    )


def _drunet(channels: int, widths: Sequence[int] = (64, 128, 256, 512), blocks: int = 4) -> Cost:
    """The cost of a U-Net of residual blocks, with 2x2 convolutions between its levels."""
    layers = [(1, 3, channels + 1, widths[0], 1.0), (1, 3, widths[0], channels, 1.0)]
    share = 1.0
    for width, deeper in itertools.pairwise(widths):
        layers.append((4 * blocks, 3, width, width, share))
        share /= 4
        # A transposed 2x2 convolution costs as much as the one that it undoes.
        layers.append((2, 2, width, deeper, share))
    layers.append((2 * blocks, 3, widths[-1], widths[-1], share))
    return _convolutions(*layers, bias=False)


COLOR = (
    Published(
        "CBM3D",
        True,
        None,
        {
            "CBSD68": (33.52, 30.71, 27.38),
            "Kodak24": (34.28, 32.15, 28.46),
            "McMaster": (34.06, 31.66, 28.51),
        },
        ("color", "kodak"),
    ),
    Published(
        "IRCNN",
        True,
        _plain(3, 64, 7, 3),
        {
            "CBSD68": (33.86, 31.16, 27.86),
            "Kodak24": (34.69, 32.18, 28.93),
            "McMaster": (34.58, 32.18, 28.91),
        },
        ("color", "layers"),
    ),
    Published(
        "FFDNet",
        True,
        _plain(4 * 3 + 1, 96, 12, 4 * 3, share=1 / 4),
        {
            "CBSD68": (33.87, 31.21, 27.96),
            "Kodak24": (34.63, 32.13, 28.98),
            "McMaster": (34.66, 32.35, 29.18),
        },
        ("color", "layers"),
    ),
    Published(
        "CDnCNN-B",
        False,
        _plain(3, 64, 20, 3),
        {
            "CBSD68": (33.90, 31.24, 27.95),
            "Kodak24": (34.60, 32.14, 28.95),
            "McMaster": (33.45, 31.52, 28.62),
        },
        ("color", "layers"),
    ),
    Published(
        "DRUNet",
        True,
        _drunet(channels=3),
        {
            "CBSD68": (34.30, 31.69, 28.51),
            "Kodak24": (35.31, 32.89, 29.86),
            "McMaster": (35.40, 33.14, 30.08),
        },
        ("color", "layers"),
    ),
    Published(
        "GRL-T",
        True,
        Cost(880_000),
        {
            "CBSD68": (34.30, 31.66, 28.45),
            "Kodak24": (35.24, 32.78, 29.67),
            "McMaster": (35.49, 33.18, 30.06),
        },
        ("grl",),
    ),
    Published(
        "SwinIR",
        True,
        Cost(11_750_000),
        {
            "CBSD68": (34.42, 31.78, 28.56),
            "Kodak24": (35.34, 32.89, 29.79),
            "McMaster": (35.61, 33.20, 30.22),
        },
        ("color", "grl"),
    ),
    Published(
        "Restormer",
        True,
        Cost(26_130_000, 140e9 / _EDGE**2),
        {
            "CBSD68": (34.40, 31.79, 28.60),
            "Kodak24": (35.47, 33.04, 30.01),
            "McMaster": (35.61, 33.34, 30.30),
        },
        ("art", "art_real"),
    ),
)

GRAY = (
    Published(
        "BM3D",
        True,
        None,
        {"BSD68": (31.08, 28.57, 25.60), "Set12": (32.37, 29.97, 26.72)},
        ("gray",),
    ),
    Published(
        "FFDNet",
        True,
        _plain(4 + 1, 64, 15, 4, share=1 / 4),
        {"BSD68": (31.63, 29.19, 26.29), "Set12": (32.75, 30.43, 27.32)},
        ("gray", "layers"),
    ),
    Published(
        "DnCNN-S",
        True,
        _plain(1, 64, 17, 1),
        {"BSD68": (31.73, 29.23, 26.23), "Set12": (32.86, 30.44, 27.18)},
        ("gray", "layers"),
    ),
    Published(
        "DRUNet",
        True,
        _drunet(channels=1),
        {"BSD68": (31.91, 29.48, 26.59), "Set12": (33.25, 30.94, 27.90)},
        ("gray", "layers"),
    ),
)
