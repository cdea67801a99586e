"""Image quality against a clean reference.

`psnr` and `ssim` measure NumPy arrays and import nothing else. `PSNR` and `SSIM` are the same as
Keras metrics, for `compile` and `fit`; Keras is imported when one of them is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kerasdenoise.metrics.arrays import WINDOW, psnr, ssim, warn_if_worse

if TYPE_CHECKING:
    from kerasdenoise.metrics.tensors import PSNR, SSIM

__all__ = ["PSNR", "SSIM", "WINDOW", "psnr", "ssim", "warn_if_worse"]


def __getattr__(name: str) -> Any:
    # Imported on use: what denoises must not import Keras.
    if name not in ("PSNR", "SSIM"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.tensors"), name)
