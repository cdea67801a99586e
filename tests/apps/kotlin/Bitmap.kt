// What a compiler has to know of Android to check apps/android; there is nothing behind it.

package android.graphics

abstract class Bitmap {
    enum class Config { ARGB_8888, HARDWARE }

    abstract val height: Int
    abstract val width: Int
    abstract val config: Config?

    abstract fun copy(config: Config, isMutable: Boolean): Bitmap?

    abstract fun getPixels(
        pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int
    )

    abstract fun setPixels(
        pixels: IntArray, offset: Int, stride: Int, x: Int, y: Int, width: Int, height: Int
    )
}
