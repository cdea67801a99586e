// Where to cut an image into tiles so that the seams are exactly nothing: the arithmetic of
// kerasdenoise/inference/tiles.py, held to it by apps/vectors/tiles.json.

package kerasdenoise

/** Rows or columns from [start] up to, and without, [stop]. */
data class Span(val start: Int, val stop: Int) {
    val length: Int
        get() = stop - start
}

/** A rectangle. */
data class Area(val rows: Span, val columns: Span)

/**
 * One tile.
 *
 * @property read What to read of the image, reflected where it leaves it (see [reflect]).
 * @property inside Which part of the tile lies in the image.
 * @property keep Which part of the tile's result is valid.
 * @property place Where that goes in the image.
 */
data class Tile(val read: Area, val inside: Area, val keep: Area, val place: Area)

/**
 * Maps a position inside or outside an axis to one on it, by reflection that does not repeat the
 * edge (… 2 1 0 1 2 …).
 *
 * @param position Any integer.
 * @param size Length of the axis, at least 1.
 * @return An index in [0, size).
 */
fun reflect(position: Int, size: Int): Int {
    if (size == 1) return 0
    val period = 2 * (size - 1)
    val folded = Math.floorMod(position, period)
    return minOf(folded, period - folded)
}

/**
 * Lays tiles of one size over an image, row by row; each pixel is kept once.
 *
 * @param height Rows of the image.
 * @param width Columns of the image.
 * @param interiorHeight Rows of a tile without its halo.
 * @param interiorWidth Columns of a tile without its halo.
 * @param halo Pixels on each side of a tile that are read but not kept.
 */
fun layTiles(
    height: Int,
    width: Int,
    interiorHeight: Int,
    interiorWidth: Int,
    halo: Int,
): List<Tile> {
    val columns = cut(width, interiorWidth, halo)
    return cut(height, interiorHeight, halo).flatMap { row ->
        columns.map { column ->
            Tile(
                read = Area(row.read, column.read),
                inside = Area(row.inside, column.inside),
                keep = Area(row.keep, column.keep),
                place = Area(row.place, column.place),
            )
        }
    }
}

private class Cut(val read: Span, val inside: Span, val keep: Span, val place: Span)

private fun cut(length: Int, interior: Int, halo: Int): List<Cut> =
    (0 until length step interior).map { start ->
        val stop = minOf(start + interior, length)
        Cut(
            read = Span(start - halo, start + interior + halo),
            inside = Span(maxOf(halo - start, 0), minOf(length - start, interior + halo) + halo),
            keep = Span(halo, halo + stop - start),
            place = Span(start, stop),
        )
    }
