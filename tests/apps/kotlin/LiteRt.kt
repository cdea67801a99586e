// What a compiler has to know of LiteRT 2.3 to check apps/android; there is nothing behind it.

package com.google.ai.edge.litert

import android.content.res.AssetManager

enum class Accelerator { NONE, CPU, GPU, NPU }

abstract class TensorBuffer : AutoCloseable {
    abstract fun writeFloat(data: FloatArray)

    abstract fun writeInt8(data: ByteArray)

    abstract fun readFloat(): FloatArray

    abstract fun readInt8(): ByteArray
}

abstract class CompiledModel : AutoCloseable {
    class CpuOptions(val numThreads: Int? = null)

    class Options(vararg val accelerators: Accelerator) {
        var cpuOptions: CpuOptions? = null
    }

    abstract fun createInputBuffers(signature: String): List<TensorBuffer>

    abstract fun createOutputBuffers(signature: String): List<TensorBuffer>

    abstract fun run(inputs: List<TensorBuffer>, outputs: List<TensorBuffer>, signature: String)

    companion object {
        fun create(
            assetManager: AssetManager,
            assetName: String,
            options: Options,
        ): CompiledModel = throw UnsupportedOperationException("$assetManager $assetName $options")
    }
}
