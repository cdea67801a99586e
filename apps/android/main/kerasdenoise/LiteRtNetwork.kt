// A model's file, run by LiteRT.

package kerasdenoise

import android.content.res.AssetManager
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel
import com.google.ai.edge.litert.TensorBuffer

/** A model among the app's assets. Not for two threads at a time. */
class LiteRtNetwork private constructor(
    override val sidecar: Sidecar,
    private val model: CompiledModel,
) : Network, AutoCloseable {
    private val inputs = model.createInputBuffers(sidecar.signature)
    private val outputs = model.createOutputBuffers(sidecar.signature)

    override fun run(noisy: FloatArray): FloatArray {
        inputs.single().write(noisy, sidecar.input.quantization)
        model.run(inputs, outputs, sidecar.signature)
        return outputs.single().read(sidecar.output.quantization)
    }

    override fun close() {
        (inputs + outputs).forEach(TensorBuffer::close)
        model.close()
    }

    companion object {
        /**
         * Loads a model.
         *
         * @param assets The app's assets, where both of the model's files are in one folder.
         * @param sidecar Path of its JSON file.
         * @param accelerator What it runs on. A GPU computes with 16 bits, if the device is like
         *   most, and its result differs a little; where the model cannot run on it, LiteRT throws.
         * @param threads Threads of the CPU.
         * @throws IllegalArgumentException The two files do not belong together, or are of a kind
         *   that this code cannot run.
         * @throws com.google.ai.edge.litert.LiteRtException LiteRT cannot run the model so.
         */
        fun load(
            assets: AssetManager,
            sidecar: String,
            accelerator: Accelerator = Accelerator.CPU,
            threads: Int = 4,
        ): LiteRtNetwork {
            val info = Sidecar.parse(assets.open(sidecar).use { it.readBytes() }.decodeToString())
            val path = sidecar.substringBeforeLast('/', "").let { folder ->
                if (folder.isEmpty()) info.file else "$folder/${info.file}"
            }
            info.check(assets.open(path).use { it.readBytes() })
            val options = CompiledModel.Options(accelerator)
            if (accelerator == Accelerator.CPU) {
                options.cpuOptions = CompiledModel.CpuOptions(numThreads = threads)
            }
            return LiteRtNetwork(info, CompiledModel.create(assets, path, options))
        }
    }
}

private fun TensorBuffer.write(values: FloatArray, quantization: Quantization?) =
    if (quantization == null) writeFloat(values) else writeInt8(quantization.toBytes(values))

private fun TensorBuffer.read(quantization: Quantization?): FloatArray =
    quantization?.toFloats(readInt8()) ?: readFloat()
