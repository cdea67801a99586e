from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.errors import InputError
from kerasdenoise.inference.samples import DTYPES, check_finite, to_pixels, to_type


@pytest.mark.parametrize("dtype", [*DTYPES, ">u2"])
def test_values_come_back_as_they_were(dtype: str):
    top = np.iinfo(dtype).max if "u" in dtype else 1
    values = (np.linspace(0, 1, 60).reshape(4, 5, 3) * top).astype(dtype)
    pixels = to_pixels(values)
    assert pixels.dtype == np.float32
    assert (pixels.min(), pixels.max()) == (0, 1)
    back = to_type(pixels, values.dtype)
    assert back.dtype == values.dtype
    np.testing.assert_allclose(back, values, atol=1e-7)


def test_float32_is_not_copied():
    pixels = np.zeros((2, 2, 3), np.float32)
    assert to_pixels(pixels) is pixels
    assert to_type(pixels, pixels.dtype) is pixels


def test_integers_are_rounded_and_clipped_and_floats_are_not():
    pixels = np.array([-0.1, 0.0019, 0.0021, 1.1], np.float32)
    np.testing.assert_array_equal(to_type(pixels, np.dtype("u1")), [0, 0, 1, 255])
    np.testing.assert_array_equal(to_type(pixels, np.dtype("f8")), pixels)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_value_that_is_not_finite_is_found_anywhere(dtype: str, value: float):
    values = np.zeros((700, 1000, 3), dtype)
    check_finite(values, "photo.tif")
    values[-1, -1, -1] = value
    with pytest.raises(InputError, match=r"photo\.tif: holds values that are not finite"):
        check_finite(values, "photo.tif")


def test_a_number_too_large_for_float32_is_found():
    with pytest.raises(InputError, match="not finite"):
        check_finite(np.full((1, 1, 1), 1e300), "array")
