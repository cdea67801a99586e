// Denoises a picture with a network that runs elsewhere: tiles go out by standard output, in the
// form that the model's file takes, and come back by standard input.

package kerasdenoise

import java.io.DataInputStream
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import javax.imageio.ImageIO

private class Bridge(override val sidecar: Sidecar) : Network {
    private val input = DataInputStream(System.`in`)

    override fun run(noisy: FloatArray): FloatArray {
        System.out.write(sidecar.input.quantization?.toBytes(noisy) ?: toBytes(noisy))
        System.out.flush()
        val quantization = sidecar.output.quantization
        val bytes = ByteArray(noisy.size * (if (quantization == null) Float.SIZE_BYTES else 1))
        input.readFully(bytes)
        return quantization?.toFloats(bytes) ?: FloatArray(noisy.size).also {
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it)
        }
    }

    private fun toBytes(values: FloatArray): ByteArray {
        val buffer = ByteBuffer.allocate(values.size * Float.SIZE_BYTES)
        buffer.order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().put(values)
        return buffer.array()
    }
}

fun main(arguments: Array<String>) {
    val (sidecar, source, target) = arguments.map(::File)
    val image = ImageIO.read(source)
    val pixels = image.getRGB(0, 0, image.width, image.height, null, 0, image.width)
    val noisy = Pixels(image.height, image.width, pixels)
    val denoised = Pixels(image.height, image.width, pixels.copyOf())
    val network = Bridge(Sidecar.parse(sidecar.readText()))
    network.sidecar.check(File(sidecar.parentFile, network.sidecar.file).readBytes())
    Denoiser(network).denoise(noisy, denoised)
    image.setRGB(0, 0, image.width, image.height, denoised.pixels, 0, image.width)
    ImageIO.write(image, "png", target)
}
