"""Resolution without a unit, which says nothing but how wide a pixel is for its height."""

from __future__ import annotations

from collections.abc import Sequence

from kerasdenoise.images.refusal import Reading


def note_pixel_aspect(density: Sequence[float], reading: Reading) -> None:
    """Notes that pixels are not square, which is not kept, as viewers of photos pass it over.

    Args:
        density: Pixels across and down on the same unknown length; not positive where unknown.
        reading: Whose notes it joins.
    """
    across, down = density
    if across > 0 and down > 0 and across != down:
        reading.notes.append(
            f"has pixels that are not square ({down:g}:{across:g}): their aspect ratio is left out"
        )
