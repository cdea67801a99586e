// What a compiler has to know of Android to check apps/android; there is nothing behind it.

package android.content.res

import java.io.InputStream

abstract class AssetManager {
    abstract fun open(fileName: String): InputStream
}
