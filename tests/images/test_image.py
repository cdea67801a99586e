from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kerasdenoise.errors import UsageError
from kerasdenoise.images.image import Image, Metadata


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((4, 5), np.float32), None),
        (np.zeros((4, 5, 4), np.float32), None),
        (np.zeros((0, 5, 3), np.float32), None),
        (np.zeros((4, 5, 3), np.float64), None),
        (np.zeros((4, 5, 3), np.uint16), None),
        (np.zeros((4, 5, 3), np.float32), np.zeros((5, 4), np.uint8)),
        (np.zeros((4, 5, 3), np.float32), np.zeros((4, 5), np.uint16)),
        (np.zeros((4, 5, 3), np.float32), np.zeros((4, 5), np.float32)),
    ],
)
def test_arrays_of_other_shapes_and_types_are_refused(
    pixels: np.ndarray, alpha: np.ndarray | None
) -> None:
    with pytest.raises(UsageError):
        Image(pixels, alpha)


def test_with_pixels_keeps_everything_else(make_image: Callable[..., Image]) -> None:
    image = make_image(alpha=True, format="WEBP", metadata=Metadata(icc=b"icc"), lossless=True)
    other = image.with_pixels(np.zeros_like(image.pixels))
    assert not other.pixels.any()
    assert other.alpha is image.alpha
    assert (other.format, other.bit_depth, other.lossless) == ("WEBP", 8, True)
    assert other.metadata is image.metadata


def test_with_pixels_refuses_another_shape(make_image: Callable[..., Image]) -> None:
    image = make_image((5, 7))
    with pytest.raises(UsageError, match=r"\(7, 5, 3\) is not \(5, 7, 3\)"):
        image.with_pixels(np.zeros((7, 5, 3), np.float32))


def test_size_and_grayness(make_image: Callable[..., Image]) -> None:
    image = make_image((5, 7), channels=1)
    assert (image.height, image.width, image.gray) == (5, 7, True)
    assert not make_image(channels=3).gray
