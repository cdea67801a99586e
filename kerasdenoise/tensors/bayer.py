"""The color filter array: sampling and demosaicing."""

from __future__ import annotations

import keras
import numpy as np

from kerasdenoise.tensors import Tensor

# RGGB: the measured color at each of the four positions of a 2x2 cell, row by row.
_CELL = (0, 1, 1, 2)


def to_mosaic(images: Tensor) -> Tensor:
    """Keeps the one color of each pixel that an RGGB sensor measures there.

    Args:
        images: (batch, height, width, 3) RGB with even sides.

    Returns:
        (batch, height / 2, width / 2, 4): red, the two greens and blue of each 2x2 cell.
    """
    cells = keras.ops.space_to_depth(images, 2)
    places = [3 * place + color for place, color in enumerate(_CELL)]
    return keras.ops.concatenate([cells[..., p : p + 1] for p in places], axis=-1)


def demosaic(mosaic: Tensor, correction: Tensor) -> Tensor:
    """Interpolates the two missing colors of each pixel linearly.

    Borders wrap around, so that noise is equally strong everywhere.

    Args:
        mosaic: (batch, height, width, 4) as `to_mosaic` returns it.
        correction: (batch, 1, 1, 1) in [0, 1]: 0 is bilinear, 1 adds the full gradient
            correction of Malvar, He and Cutler, "High-quality linear interpolation for
            demosaicing of Bayer-patterned color images", ICASSP 2004.

    Returns:
        (batch, 2 * height, 2 * width, 3) RGB.
    """
    cells = keras.ops.conv(
        _wrap(_wrap(mosaic, 1), 2), _KERNEL, padding="valid", data_format="channels_last"
    )
    cells = cells[..., :12] + correction * cells[..., 12:]
    return keras.ops.depth_to_space(cells, 2)


def demosaic_green(mosaic: Tensor, seen: Tensor) -> Tensor:
    """Interpolates green along rows or columns, whichever differ less.

    This is Hamilton and Adams' method ("Adaptive color plan interpolation in single sensor color
    electronic camera", US patent 5,629,734, 1997): the mean of two neighbors, corrected by the
    curvature of the measured color. Borders wrap around.

    Args:
        mosaic: (batch, height, width, 4) as `to_mosaic` returns it.
        seen: The mosaic that decides the direction, of the same shape.

    Returns:
        (batch, 2 * height, 2 * width, 1), only green.
    """
    ops = keras.ops
    greens = []
    # Red has a green beside it in its cell and one below; blue has them on the other sides.
    for place, beside, below, step in ((0, 1, 2, 1), (3, 2, 1, -1)):
        options = [
            (_between(mosaic, place, *way)[0], _between(seen, place, *way)[1])
            for way in ((beside, step, 2), (below, step, 1))
        ]
        (across, rough), (down, steep) = options
        greens.append(ops.where(rough < steep, across, down))
    cells = ops.concatenate([greens[0], mosaic[..., 1:3], greens[1]], axis=-1)
    return ops.depth_to_space(cells, 2)


def _between(mosaic: Tensor, place: int, green: int, step: int, axis: int) -> tuple[Tensor, Tensor]:
    """Green at a position of each cell, interpolated along an axis, and its uncertainty."""
    ops = keras.ops
    color, near = mosaic[..., place : place + 1], mosaic[..., green : green + 1]
    far = ops.roll(near, step, axis=axis)
    bend = 2.0 * color - ops.roll(color, 1, axis=axis) - ops.roll(color, -1, axis=axis)
    return (near + far) / 2.0 + bend / 4.0, ops.abs(near - far) + ops.abs(bend)


def _wrap(images: Tensor, axis: int) -> Tensor:
    """Puts the last row or column before the first, and the first after the last."""
    ops = keras.ops
    size = ops.shape(images)[axis]
    ends = [ops.take(images, [place], axis=axis) for place in (size - 1, 0)]
    return ops.concatenate([ends[0], images, ends[1]], axis=axis)


def _filters() -> tuple[dict[tuple[str, int], np.ndarray], ...]:
    """The 5x5 filters by kind of position, twice: bilinear, and Malvar's addition to it.

    Keys are ("green", c) for a color c that stands beside a green place in its row (0) or
    column (1), and ("color", 0) for green, ("color", 1) for the opposite color, at a red or
    blue place.
    """
    bilinear = {key: np.zeros((5, 5)) for key in (("green", 0), ("color", 0), ("color", 1))}
    bilinear["green", 0][2, [1, 3]] = 1 / 2
    bilinear["color", 0][[1, 3, 2, 2], [2, 2, 1, 3]] = 1 / 4
    bilinear["color", 1][[1, 1, 3, 3], [1, 3, 1, 3]] = 1 / 4

    added = {key: np.zeros((5, 5)) for key in bilinear}
    far = ([0, 4, 2, 2], [2, 2, 0, 4])
    added["green", 0][2, 2] = 5 / 8
    added["green", 0][[1, 1, 3, 3], [1, 3, 1, 3]] = -1 / 8
    added["green", 0][far] = [1 / 16, 1 / 16, -1 / 8, -1 / 8]
    added["color", 0][2, 2] = 4 / 8
    added["color", 0][far] = -1 / 8
    added["color", 1][2, 2] = 6 / 8
    added["color", 1][far] = -3 / 16
    for filters in (bilinear, added):
        filters["green", 1] = filters["green", 0].T
    return bilinear, added


def _kernel() -> np.ndarray:
    """Both demosaics as one convolution of 2x2 cells: (3, 3, 4, 2 * 12)."""
    kernel = np.zeros((3, 3, 4, 2, 4, 3), np.float32)
    identity = np.zeros((5, 5))
    identity[2, 2] = 1.0
    for version, filters in enumerate(_filters()):
        for place in range(4):
            y, x = divmod(place, 2)
            for color in range(3):
                if _CELL[place] == color:
                    taps = identity if version == 0 else np.zeros((5, 5))
                elif _CELL[place] == 1:
                    # The first row of cells holds red, the second blue.
                    taps = filters["green", int((color == 0) != (y == 0))]
                else:
                    taps = filters["color", int(color != 1)]
                for dy, dx in np.argwhere(taps):
                    source_y, source_x = y + dy - 2, x + dx - 2
                    source = 2 * (source_y % 2) + source_x % 2
                    cell = (source_y // 2 + 1, source_x // 2 + 1)
                    kernel[(*cell, source, version, place, color)] += taps[dy, dx]
    return kernel.reshape(3, 3, 4, 24)


_KERNEL = _kernel()
