"""What each architecture costs and sees, in each of its presets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from kerasdenoise.models import get_architecture, list_architectures
from kerasdenoise.models._cost import mac_per_pixel
from kerasdenoise.models._parts import get_parts


@dataclass(frozen=True)
class Facts:
    """A preset of an architecture, for RGB images.

    Attributes:
        architecture: The architecture's name.
        preset: The preset's name.
        parameters: How many numbers the network's weights are.
        trainable: How many of them training changes.
        mac_per_pixel: Multiply-accumulates; see `mac_per_pixel`.
        radius: How far it sees, in pixels, but for its global context.
        stride: What the height and width of its input must be a multiple of.
        global_context: Whether it also needs statistics of the whole image.
        noise_level: Whether it is told the level of the noise.
        estimates_level: Whether it estimates the level itself, and may be told another.
    """

    architecture: str
    preset: str
    parameters: int
    trainable: int
    mac_per_pixel: int
    radius: int
    stride: int
    global_context: bool
    noise_level: bool
    estimates_level: bool


def describe_architectures() -> Iterator[Facts]:
    """Builds every preset of every architecture, which takes a while, and describes it."""
    for architecture in list_architectures():
        module = get_architecture(architecture)
        for preset, config in module.PRESETS.items():
            network = module.build(config)
            yield Facts(
                architecture=architecture,
                preset=preset,
                parameters=network.count_params(),
                trainable=sum(math.prod(weight.shape) for weight in network.trainable_variables),
                mac_per_pixel=mac_per_pixel(network, config.stride),
                radius=config.radius,
                stride=config.stride,
                global_context=get_parts(network).context is not None,
                noise_level=config.noise_level,
                estimates_level=get_parts(network).noise_level is not None,
            )
