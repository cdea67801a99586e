package kerasdenoise

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

class SidecarTest {
    @Test
    fun `a sidecar is read`() {
        val sidecar = Sidecar.parse(makeSidecar("uint8"))
        assertEquals("tiny.tflite", sidecar.file)
        assertEquals("serving_default", sidecar.signature)
        assertEquals(8, sidecar.interior)
        assertEquals("noisy", sidecar.input.name)
        assertEquals(Quantization(0.5f, 3), sidecar.input.quantization)
        assertNull(Sidecar.parse(makeSidecar("float32")).output.quantization)
        assertFalse(sidecar.keepsTone)
        assertTrue(Sidecar.parse(makeSidecar("uint8", tile = 96, halo = 40, tone = true)).keepsTone)
    }

    @Test
    fun `what cannot be run is refused`() {
        val refused = listOf(
            "no JSON",
            "{}",
            makeSidecar("int16"),
            makeSidecar("float32", halo = 7),
            makeSidecar("float32", shape = "[1, 14, 14, 1]"),
            makeSidecar("float32", shape = "[1, 16, 16, 3]"),
            makeSidecar("float32", takes = listOf("noisy", "noise_level")),
            makeSidecar("float32", tile = 92, halo = 40, tone = true),
            makeSidecar("float32", tile = 96, halo = 36, tone = true),
        )
        for (json in refused) {
            assertThrows(json, IllegalArgumentException::class.java) { Sidecar.parse(json) }
        }
    }

    @Test
    fun `another model's file is refused`() {
        val sidecar = Sidecar.parse(makeSidecar("uint8"))
        sidecar.check(byteArrayOf())
        assertThrows(IllegalArgumentException::class.java) { sidecar.check(byteArrayOf(1)) }
    }

    @Test
    fun `bytes stand for values`() {
        val quantization = Quantization(0.5f, 3)
        val bytes = quantization.toBytes(floatArrayOf(0f, 0.25f, 0.75f, 1f, -9f, 999f))
        assertArrayEquals(byteArrayOf(3, 3, 5, 5, 0, -1), bytes)
        assertArrayEquals(floatArrayOf(0f, 1f, 126f), quantization.toFloats(byteArrayOf(3, 5, -1)), 0f)
        val all = ByteArray(256) { it.toByte() }
        val values = FloatArray(256) { it / 255f }
        assertArrayEquals(all, Quantization(1 / 255f, 0).toBytes(values))
    }
}

/** A sidecar of an empty file. */
fun makeSidecar(
    dtype: String,
    tile: Int = 14,
    halo: Int = 3,
    shape: String = "[1, $tile, $tile, 3]",
    takes: List<String> = listOf("noisy"),
    tone: Boolean? = null,
): String {
    val scale = if (dtype == "float32") "null" else """{"scale": 0.5, "zero_point": 3}"""
    val rest = """"shape": $shape, "dtype": "$dtype", "quantization": $scale"""
    val inputs = takes.joinToString { """{"name": "$it", $rest}""" }
    val sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    return """
        {"file": "tiny.tflite", "sha256": "$sha256", "signature": "serving_default",
        "tile": {"size": $tile, "halo": $halo}, "inputs": [$inputs],
        ${tone?.let { """"keeps_tone": $it,""" } ?: ""}
        "outputs": [{"name": "denoised", $rest}]}
    """
}
