"""Checks the type, shape and values of arrays."""

from __future__ import annotations

import numpy as np

from kerasdenoise.errors import InputError, UsageError
from kerasdenoise.pixels import to_pixels

DTYPES = ("uint8", "uint16", "float16", "float32", "float64")
"""The types: unsigned integers use their whole range, floats nominally [0, 1]."""

# Values are checked in bands of about this many, so that no second copy is made.
_BAND = 2**20


def check_type(values: np.ndarray) -> None:
    """Rejects arrays of other types, whose values could mean anything.

    Raises:
        UsageError: The type is none of `DTYPES`.
    """
    if values.dtype.name not in DTYPES:
        raise UsageError(
            f"array of {values.dtype}", "is not supported", f"convert it to {', '.join(DTYPES)}"
        )


def check_pixels(values: np.ndarray) -> None:
    """Rejects arrays that are not (H, W, 1 or 3) of a type in `DTYPES`.

    Raises:
        UsageError: The array was rejected.
    """
    check_type(values)
    if values.ndim != 3 or values.shape[2] not in (1, 3) or not values.size:
        raise UsageError(
            f"array of shape {values.shape}", "is not an image", "give (H, W, 1) or (H, W, 3)"
        )


def check_finite(values: np.ndarray, name: object) -> None:
    """Rejects values that are not finite as float32.

    Args:
        values: (H, W, C) of any type in `DTYPES`.
        name: The image's name in errors.

    Raises:
        InputError: A value is not finite.
    """
    if values.dtype.kind == "u":
        return
    rows = max(1, _BAND // (values.shape[1] * values.shape[2]))
    for top in range(0, len(values), rows):
        with np.errstate(over="ignore"):  # a float64 beyond float32 is found below
            band = to_pixels(values[top : top + rows])
        if not np.isfinite(band).all():
            cause = "has values that are not finite (NaN or infinity)"
            raise InputError(name, cause, "replace them")
