from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.pixels import to_pixels, to_samples


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "float16", "float32", "float64"])
def test_values_come_back_as_they_were(dtype: str):
    top = np.iinfo(dtype).max if "u" in dtype else 1
    values = (np.linspace(0, 1, 60).reshape(4, 5, 3) * top).astype(dtype)
    pixels = to_pixels(values)
    assert pixels.dtype == np.float32
    assert (pixels.min(), pixels.max()) == (0, 1)
    back = to_samples(pixels, values.dtype)
    assert back.dtype == values.dtype
    np.testing.assert_allclose(back, values, atol=1e-7)


def test_float32_is_not_copied():
    pixels = np.zeros((2, 2, 3), np.float32)
    assert to_pixels(pixels) is pixels
    assert to_samples(pixels, pixels.dtype) is pixels


def test_integers_are_rounded_and_clipped_and_floats_are_not():
    pixels = np.array([-0.1, 0.0019, 0.0021, 1.1], np.float32)
    np.testing.assert_array_equal(to_samples(pixels, np.dtype("u1")), [0, 0, 1, 255])
    np.testing.assert_array_equal(to_samples(pixels, np.dtype("f8")), pixels)
