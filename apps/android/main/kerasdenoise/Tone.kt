// What denoising may change at scales where noise averages out: the arithmetic of
// kerasdenoise/inference/tone.py for pixels of 8 bits, held to it by apps/vectors/tone.json.

package kerasdenoise

import kotlin.math.PI
import kotlin.math.exp
import kotlin.math.sqrt

/** Edge in pixels of the cells in which means are taken. Tiles start and end between them. */
const val CELL = 8

// Deviation in pixels of the Gaussian window whose means are kept; how many cells on each side it
// reaches, and how many pixels it all reaches.
private const val WINDOW = 12.0
private const val TAPS = 3
private const val REACH = CELL * (TAPS + 2)

// What a mean may change by: a share of the deviation of the mean of noise, and the most.
private val SHARE = 0.75 / (2 * sqrt(PI) * WINDOW)
private const val MOST = 0.75 / 255

/** A picture not larger than the reach needs more than one step. */
private const val ROUNDS = 6

private val SPREAD =
    sqrt(WINDOW * WINDOW - (CELL * CELL - 1) / 12.0 - CELL * CELL / 6.0) / CELL
private val WEIGHTS = DoubleArray(2 * TAPS + 1) { tap ->
    ((tap - TAPS) / SPREAD).let { exp(-0.5 * it * it) }
}
private const val LEAST = 1e-6

/**
 * Takes back what a network changed of a tile's tone beyond what noise can explain.
 *
 * Near the kept part's edges the window shows results that the tile's edge made inexact; that
 * changes what is kept by far less than 1 of 255, as `fixed_halo` of tone.py says.
 *
 * @param noisy Red, green and blue of each pixel of a square tile, row by row, in [0, 1]; it starts
 *   at multiples of [CELL] of the image.
 * @param denoised What the network made of it; takes the result, clipped to [0, 1].
 * @param edge Edge of the tile, a multiple of [CELL].
 * @param inside Which part of the tile lies in the image. What is around it is reflected, and must
 *   not count twice.
 */
fun keepTone(noisy: FloatArray, denoised: FloatArray, edge: Int, inside: Area) {
    val isSmall = maxOf(inside.rows.length, inside.columns.length) <= REACH
    repeat(if (isSmall) ROUNDS else 1) { takeBack(noisy, denoised, edge, inside) }
}

private fun takeBack(noisy: FloatArray, denoised: FloatArray, edge: Int, inside: Area) {
    val side = edge / CELL
    val sums = WindowSums(side)
    sums.add(noisy, denoised, edge, inside)
    for (channel in 0 until 3) {
        val down = DoubleArray(side * side)
        val up = DoubleArray(side * side)
        for (at in 0 until side * side) {
            // A cell so far outside that the window shows it nothing of the image needs no value.
            val count = maxOf(sums.pixels[at], LEAST)
            val mean = sums.changes[channel][at] / count
            val tone = sums.tones[channel][at] / count
            val bound = minOf(SHARE * sqrt(sums.power[at] / count), MOST)
            // Each pixel goes towards black or white by the same share of the way.
            val darker = maxOf(mean - bound, 0.0)
            val lighter = maxOf(-mean - bound, 0.0)
            down[at] = darker / maxOf(tone, darker, LEAST)
            up[at] = lighter / maxOf(1 - tone, lighter, LEAST)
        }
        shift(denoised, channel, edge, down, up)
    }
}

/** Sums over the window around each cell. */
private class WindowSums(private val side: Int) {
    val changes = List(3) { DoubleArray(side * side) }
    val tones = List(3) { DoubleArray(side * side) }
    val power = DoubleArray(side * side)
    val pixels = DoubleArray(side * side)

    fun add(noisy: FloatArray, denoised: FloatArray, edge: Int, inside: Area) {
        for (row in inside.rows.start until inside.rows.stop) {
            var from = 3 * (row * edge + inside.columns.start)
            for (column in inside.columns.start until inside.columns.stop) {
                val cell = row / CELL * side + column / CELL
                for (channel in 0 until 3) {
                    val tone = denoised[from].coerceIn(0f, 1f).toDouble()
                    val change = tone - noisy[from++]
                    tones[channel][cell] += tone
                    changes[channel][cell] += change
                    power[cell] += change * change / 3
                }
                pixels[cell] += 1.0
            }
        }
        for (cells in changes + tones + listOf(power, pixels)) smooth(cells, side)
    }
}

/** Sums neighbors by the window's weights; there is nothing beyond the edges. */
private fun smooth(cells: DoubleArray, side: Int) {
    for ((along, across) in listOf(side to 1, 1 to side)) {
        for (line in 0 until side) {
            val values = DoubleArray(side) { cells[line * across + it * along] }
            for (at in 0 until side) {
                cells[line * across + at * along] = (-TAPS..TAPS).sumOf { tap ->
                    WEIGHTS[tap + TAPS] * values.getOrElse(at + tap) { 0.0 }
                }
            }
        }
    }
}

/** Moves a channel towards black and white, by shares that are interpolated between cells. */
private fun shift(
    denoised: FloatArray,
    channel: Int,
    edge: Int,
    down: DoubleArray,
    up: DoubleArray,
) {
    val side = edge / CELL
    val places = List(edge) { place(it, side) }
    for (row in 0 until edge) {
        val (above, below, share) = places[row]
        val dark = DoubleArray(side) { mix(down[above * side + it], down[below * side + it], share) }
        val light = DoubleArray(side) { mix(up[above * side + it], up[below * side + it], share) }
        for (column in 0 until edge) {
            val (left, right, part) = places[column]
            val at = 3 * (row * edge + column) + channel
            val towardsWhite = mix(light[left], light[right], part)
            val stays = 1 - mix(dark[left], dark[right], part) - towardsWhite
            denoised[at] = (stays * denoised[at].coerceIn(0f, 1f) + towardsWhite).toFloat()
        }
    }
}

/** Two cells between whose centers a pixel lies, and how far from the first one. */
private data class Place(val first: Int, val second: Int, val share: Double)

private fun place(position: Int, side: Int): Place {
    // Beyond the outermost center nothing changes.
    val exact = ((position + 0.5) / CELL - 0.5).coerceIn(0.0, side - 1.0)
    val first = exact.toInt()
    return Place(first, minOf(first + 1, side - 1), exact - first)
}

private fun mix(a: Double, b: Double, share: Double) = a + share * (b - a)
