"""The types of values that can be denoised, and values that cannot."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import InputError
from kerasdenoise.images.samples import to_pixels

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
"""The types: unsigned integers use their whole range, floats nominally [0, 1]."""

# Values are checked in bands of about this many, so that no second copy is made.
_BAND = 2**20


def check_finite(values: np.ndarray, name: object) -> None:
    """Refuses values that are not finite as float32.

    Args:
        values: (H, W, C) of any type of `DTYPES`.
        name: What to call the image in errors.

    Raises:
        InputError: There is one.
    """
    if values.dtype.kind == "u":
        return
    rows = max(1, _BAND // (values.shape[1] * values.shape[2]))
    for top in range(0, len(values), rows):
        with np.errstate(over="ignore"):  # of a float64 beyond float32, which is found below
            band = to_pixels(values[top : top + rows])
        if not np.isfinite(band).all():
            cause = "holds values that are not finite (NaN or infinity)"
            raise InputError(name, cause, "repair it")
