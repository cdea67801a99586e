"""What a photo's first bytes say, for decisions before it is read."""

from __future__ import annotations

import warnings
from pathlib import Path

from kerasdenoise.images.formats import format_of_suffix


def read_size(source: Path) -> tuple[int, int] | None:
    """Returns a photo's width and height by its header; None if it does not say.

    Camera raw begins with a small picture of itself. What is wrong with a file is said when its
    turn comes.
    """
    from PIL import Image

    row = format_of_suffix(source)
    if row is not None and row.name == "RAW":
        return None

    with warnings.catch_warnings(action="ignore"):
        try:
            with Image.open(source) as image:
                return image.size
        except Exception:  # a decoder fed with foreign bytes may raise anything
            return None
