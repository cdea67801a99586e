"""The radius of the networks that are no architecture's smallest, and of what they share."""

from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.models import get_architecture, make_config
from kerasdenoise.models._convolutions import Window, find_receptive_field


@pytest.mark.parametrize(
    ("windows", "stride", "radius"),
    [
        ([], 1, 0),
        ([Window(5)], 1, 2),
        # An even kernel reaches further to one side.
        ([Window(4)], 1, 2),
        # Squares of 2x2 and back: no further than the square.
        ([Window(2, 2), Window(2, 2, transposed=True)], 2, 1),
        ([Window(16, 16), Window(16, 16, transposed=True)], 16, 15),
        ([Window(3, 2), Window(3, 2, transposed=True)], 2, 2),
    ],
)
def test_a_radius_by_hand(windows: list, stride: int, radius: int):
    assert find_receptive_field(windows, stride) == radius


@pytest.mark.parametrize(
    ("architecture", "values"),
    [
        ("denoising_autoencoder", {"widths": (4, 4, 4)}),
        ("strided_autoencoder", {"widths": (4, 4, 4)}),
        *(("hourglass", {"variant": variant, "width": 4, "rank": 4}) for variant in "ABCDE"),
        ("hourglass", {"skip": "smooth", "width": 4}),
        ("poisson_autoencoder", {"latent": "3x3", "widths": (4, 4)}),
    ],
    ids=str,
)
def test_the_radius_of_a_network_is_exact(architecture: str, values: dict):
    config = make_config(architecture, {"channels": 1, **values})
    network = get_architecture(architecture).build(config)
    for weight in network.trainable_weights:
        # Positive, so that nothing cancels, and small, so that no sigmoid saturates.
        weight.assign(np.full(weight.shape, 1 / max(4, np.prod(weight.shape[:-1]))))
    assert config.radius is not None
    stride = config.stride
    far = (-(-config.radius // stride) + 1) * stride
    # Kernels are square: the pixels on the diagonal of a cell stand for all of it.
    pixels = far + np.arange(stride)
    noisy = np.full((stride + 1, 2 * far + stride, 2 * far + stride, 1), 0.5, np.float32)
    noisy[range(stride), pixels, pixels] += 1e4
    # One by one: in a batch, equal images may be rounded differently.
    *changed, unchanged = network.predict(noisy, batch_size=1, verbose=0)
    reach = 0
    for pixel, image in zip(pixels, changed, strict=True):
        rows, columns, _ = np.nonzero(image != unchanged)
        reach = max([reach, *abs(rows - pixel), *abs(columns - pixel)])
    assert reach == config.radius
