"""What a photo's first bytes say, for decisions before it is read."""

from __future__ import annotations

import warnings
from pathlib import Path


def read_size(source: Path) -> tuple[int, int] | None:
    """Returns a photo's width and height by its header; None if it cannot be read.

    What is wrong with the file is said when its turn comes.
    """
    from PIL import Image

    with warnings.catch_warnings(action="ignore"):
        try:
            with Image.open(source) as image:
                return image.size
        except Exception:  # a decoder fed with foreign bytes may raise anything
            return None
