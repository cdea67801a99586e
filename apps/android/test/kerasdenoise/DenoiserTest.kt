package kerasdenoise

import java.util.Random
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class DenoiserTest {
    @Test
    fun `the tiles together are the image processed whole`() {
        for ((height, width) in listOf(1 to 1, 5 to 30, 20 to 27)) {
            val random = Random(0)
            val noisy = Pixels(height, width, IntArray(height * width) { random.nextInt() })
            val found = denoise(Blur, noisy)
            for (row in 0 until height) for (column in 0 until width) for (shift in CHANNELS) {
                var sum = 0
                for (y in row - 3..row + 3) for (x in column - 3..column + 3) {
                    val pixel = noisy.pixels[reflect(y, height) * width + reflect(x, width)]
                    sum += pixel shr shift and 0xff
                }
                val byte = found.pixels[row * width + column] shr shift and 0xff
                assertEquals(sum / 49.0, byte.toDouble(), 0.51)
            }
        }
    }

    @Test
    fun `the strength goes from one to the other`() {
        val noisy = Pixels(1, 1, intArrayOf(argb(77, 100, 50, 200)))
        assertArrayEquals(noisy.pixels, denoise(Tint, noisy, 0f).pixels)
        val whole = intArrayOf(argb(77, 126, 101, 255)) // 125.5 and 353
        assertArrayEquals(whole, denoise(Tint, noisy).pixels)
        assertArrayEquals(intArrayOf(argb(77, 113, 76, 255)), denoise(Tint, noisy, 0.5f).pixels)
        assertThrows(IllegalArgumentException::class.java) { denoise(Tint, noisy, 1.1f) }
    }

    @Test
    fun `gray stays gray`() {
        val noisy = Pixels(1, 2, intArrayOf(argb(9, 0, 0, 0), argb(8, 100, 100, 100)))
        val expected = intArrayOf(argb(9, 76, 76, 76), argb(8, 176, 176, 176)) // 0.3 of 255 more
        assertArrayEquals(expected, denoise(Tint, noisy).pixels)
    }

    @Test
    fun `a tint is taken back where the tone is kept`() {
        val noisy = Pixels(100, 70, IntArray(100 * 70) { argb(255, 40, 120, 200) })
        val expected = IntArray(noisy.pixels.size) { argb(255, 41, 121, 201) } // 0.75 more
        assertArrayEquals(expected, denoise(ToneKeeper, noisy).pixels)
    }

    @Test
    fun `progress is told and ends the work`() {
        val told = mutableListOf<Pair<Int, Int>>()
        val noisy = Pixels(9, 20, IntArray(180) { it })
        denoise(Tint, noisy) { done, all -> told += done to all }
        assertEquals((1..6).map { it to 6 }, told)
        assertThrows(InterruptedException::class.java) {
            denoise(Tint, noisy) { _, _ -> throw InterruptedException() }
        }
    }
}

private val CHANNELS = listOf(16, 8, 0)

private fun argb(alpha: Int, red: Int, green: Int, blue: Int) =
    alpha shl 24 or (red shl 16) or (green shl 8) or blue

private fun denoise(
    network: Network,
    noisy: Pixels,
    strength: Float = 1f,
    onTile: (Int, Int) -> Unit = { _, _ -> },
): Pixels {
    val denoised = Pixels(noisy.height, noisy.width, noisy.pixels.copyOf())
    Denoiser(network).denoise(noisy, denoised, strength, onTile)
    return denoised
}

class Pixels(override val height: Int, override val width: Int, val pixels: IntArray) : Image {
    override fun read(area: Area): IntArray =
        IntArray(area.rows.length * area.columns.length) {
            val (row, column) = it / area.columns.length to it % area.columns.length
            pixels[(area.rows.start + row) * width + area.columns.start + column]
        }

    override fun write(area: Area, pixels: IntArray) {
        for ((at, pixel) in pixels.withIndex()) {
            val (row, column) = at / area.columns.length to at % area.columns.length
            this.pixels[(area.rows.start + row) * width + area.columns.start + column] = pixel
        }
    }
}

/** A mean over a square of 7, which sees as far as its halo: what it lacks beyond a tile shows. */
private object Blur : Network {
    override val sidecar = Sidecar.parse(makeSidecar("float32"))

    override fun run(noisy: FloatArray): FloatArray {
        val edge = sidecar.tile
        return FloatArray(noisy.size) {
            val (row, column) = it / 3 / edge to it / 3 % edge
            var sum = 0f
            for (y in row - 3..row + 3) for (x in column - 3..column + 3) {
                if (y in 0 until edge && x in 0 until edge) sum += noisy[3 * (y * edge + x) + it % 3]
            }
            sum / 49
        }
    }
}

/** Adds something else to each channel. */
private open class Adder(json: String) : Network {
    override val sidecar = Sidecar.parse(json)

    override fun run(noisy: FloatArray): FloatArray =
        FloatArray(noisy.size) { noisy[it] + floatArrayOf(0.1f, 0.2f, 0.6f)[it % 3] }
}

private object Tint : Adder(makeSidecar("float32"))

private object ToneKeeper : Adder(makeSidecar("float32", tile = 96, halo = 40, tone = true))
