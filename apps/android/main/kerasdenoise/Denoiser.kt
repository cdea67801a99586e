// An image in, an image out: tile by tile, as kerasdenoise/inference/denoiser.py does it.

package kerasdenoise

/** Runs a model on one tile. */
interface Network {
    val sidecar: Sidecar

    /**
     * Denoises a tile.
     *
     * @param noisy Red, green and blue of each pixel, row by row, in [0, 1]; `tile` squared pixels.
     * @return The same of the denoised tile, not clipped.
     */
    fun run(noisy: FloatArray): FloatArray
}

/** An image whose pixels are read and written in rectangles, as packed ARGB, row by row. */
interface Image {
    val height: Int
    val width: Int

    fun read(area: Area): IntArray

    fun write(area: Area, pixels: IntArray)
}

/** Denoises images of any size. */
class Denoiser(private val network: Network) {
    private val tile = network.sidecar.tile
    private val halo = network.sidecar.halo

    /**
     * Denoises an image.
     *
     * An image of gray pixels stays gray. Alpha is copied.
     *
     * @param noisy The image.
     * @param denoised Another image of the same size, which takes the result.
     * @param strength 0 for no change, 1 for all of the denoising.
     * @param onTile Is told after each tile how many are done, of how many; what it throws ends the
     *   work.
     */
    fun denoise(
        noisy: Image,
        denoised: Image,
        strength: Float = 1f,
        onTile: (done: Int, all: Int) -> Unit = { _, _ -> },
    ) {
        require(strength in 0f..1f) { "strength $strength is not between 0 and 1" }
        require(noisy.height == denoised.height && noisy.width == denoised.width) {
            "the result's image is of another size"
        }
        val interior = network.sidecar.interior
        val tiles = layTiles(noisy.height, noisy.width, interior, interior, halo)
        val gray = isGray(noisy)
        for ((index, part) in tiles.withIndex()) {
            val given = readTile(noisy, part.read)
            val values = network.run(given)
            // Three equal channels come out a little different each; their mean keeps gray gray.
            if (gray) averageChannels(values)
            if (network.sidecar.keepsTone) keepTone(given, values, tile, part.inside)
            denoised.write(part.place, blend(noisy.read(part.place), values, part.keep, strength))
            onTile(index + 1, tiles.size)
        }
    }

    private fun readTile(image: Image, area: Area): FloatArray {
        val rows = reflectAll(area.rows, image.height)
        val columns = reflectAll(area.columns, image.width)
        // What is reflected lies within what is read anyway, unless the image is smaller than a tile.
        val box = Area(bounds(rows), bounds(columns))
        val pixels = image.read(box)
        val values = FloatArray(3 * rows.size * columns.size)
        var to = 0
        for (row in rows) {
            val start = (row - box.rows.start) * box.columns.length - box.columns.start
            for (column in columns) {
                val pixel = pixels[start + column]
                values[to++] = red(pixel) / 255f
                values[to++] = green(pixel) / 255f
                values[to++] = blue(pixel) / 255f
            }
        }
        return values
    }

    /** Goes from noisy pixels towards the kept part of a denoised tile, and rounds. */
    private fun blend(
        noisy: IntArray,
        values: FloatArray,
        keep: Area,
        strength: Float,
    ): IntArray {
        var at = 0
        for (row in keep.rows.start until keep.rows.stop) {
            var from = 3 * (row * tile + keep.columns.start)
            repeat(keep.columns.length) {
                val pixel = noisy[at]
                noisy[at++] = (pixel and ALPHA) or
                    (blend(red(pixel), values[from++], strength) shl 16) or
                    (blend(green(pixel), values[from++], strength) shl 8) or
                    blend(blue(pixel), values[from++], strength)
            }
        }
        return noisy
    }
}

private const val ALPHA = 0xff shl 24

/** How many rows are looked at at a time, so that no second copy of the image is made. */
private const val BAND = 64

private fun red(pixel: Int) = pixel shr 16 and 0xff

private fun green(pixel: Int) = pixel shr 8 and 0xff

private fun blue(pixel: Int) = pixel and 0xff

private fun blend(noisy: Int, denoised: Float, strength: Float): Int {
    val before = noisy.toFloat()
    val value = before + strength * (255f * denoised - before)
    return Math.rint(value.toDouble()).toInt().coerceIn(0, 255)
}

private fun reflectAll(span: Span, size: Int) =
    IntArray(span.length) { reflect(span.start + it, size) }

private fun bounds(indices: IntArray) = Span(indices.min(), indices.max() + 1)

private fun isGray(image: Image): Boolean =
    (0 until image.height step BAND).all { top ->
        val rows = Span(top, minOf(top + BAND, image.height))
        image.read(Area(rows, Span(0, image.width))).all {
            red(it) == green(it) && red(it) == blue(it)
        }
    }

private fun averageChannels(values: FloatArray) {
    for (at in values.indices step 3) {
        values.fill((values[at] + values[at + 1] + values[at + 2]) / 3, at, at + 3)
    }
}
