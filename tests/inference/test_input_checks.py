from __future__ import annotations

import numpy as np
import pytest

from kerasdenoise.errors import InputError
from kerasdenoise.inference.image_types import check_finite


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_a_value_that_is_not_finite_is_found_anywhere(dtype: str, value: float):
    values = np.zeros((700, 1000, 3), dtype)
    check_finite(values, "photo.tif")
    values[-1, -1, -1] = value
    with pytest.raises(InputError, match=r"photo\.tif: .*finite"):
        check_finite(values, "photo.tif")


def test_a_number_too_large_for_float32_is_found():
    with pytest.raises(InputError, match="not finite"):
        check_finite(np.full((1, 1, 1), 1e300), "array")
