// Android's bitmaps.

package kerasdenoise

import android.graphics.Bitmap

/**
 * Denoises a bitmap. Takes seconds: not for the main thread.
 *
 * @param noisy The bitmap, of any configuration. Its colors are taken as sRGB; wider ones are clipped.
 * @param strength 0 for no change, 1 for all of the denoising.
 * @param onTile Is told after each tile how many are done, of how many; what it throws ends the work.
 * @return A new bitmap of the same size, `ARGB_8888` and mutable.
 */
fun Denoiser.denoise(
    noisy: Bitmap,
    strength: Float = 1f,
    onTile: (done: Int, all: Int) -> Unit = { _, _ -> },
): Bitmap {
    // Only memory of this configuration can be read and written in any case.
    val isReadable = noisy.config == Bitmap.Config.ARGB_8888
    val source = if (isReadable) noisy else copy(noisy)
    val denoised = copy(source)
    denoise(BitmapImage(source), BitmapImage(denoised), strength, onTile)
    return denoised
}

private fun copy(bitmap: Bitmap): Bitmap =
    checkNotNull(bitmap.copy(Bitmap.Config.ARGB_8888, true)) { "no memory for a copy of the bitmap" }

private class BitmapImage(private val bitmap: Bitmap) : Image {
    override val height
        get() = bitmap.height
    override val width
        get() = bitmap.width

    override fun read(area: Area): IntArray {
        val (rows, columns) = area
        val pixels = IntArray(rows.length * columns.length)
        bitmap.getPixels(
            pixels, 0, columns.length, columns.start, rows.start, columns.length, rows.length
        )
        return pixels
    }

    override fun write(area: Area, pixels: IntArray) {
        val (rows, columns) = area
        bitmap.setPixels(
            pixels, 0, columns.length, columns.start, rows.start, columns.length, rows.length
        )
    }
}
