// What stands beside a model's file, in a JSON file of the same name.

package kerasdenoise

import java.security.MessageDigest
import org.json.JSONArray
import org.json.JSONException
import org.json.JSONObject

/** How integers stand for real values: value = scale * (integer - zeroPoint). */
data class Quantization(val scale: Float, val zeroPoint: Int) {
    /** Turns real values into unsigned bytes; those beyond their range are clipped. */
    fun toBytes(values: FloatArray): ByteArray = ByteArray(values.size) { at ->
        val integer = Math.rint((values[at] / scale).toDouble()).toInt() + zeroPoint
        integer.coerceIn(0, 255).toByte()
    }

    /** Turns unsigned bytes into real values. */
    fun toFloats(bytes: ByteArray): FloatArray = FloatArray(bytes.size) { at ->
        scale * ((bytes[at].toInt() and 0xff) - zeroPoint)
    }
}

/**
 * What a model takes or gives.
 *
 * @property name What the signature calls it.
 * @property quantization Null where the values are float32, otherwise they are uint8.
 */
data class TensorInfo(val name: String, val quantization: Quantization?)

/**
 * What an app has to know of a model's file.
 *
 * @property file Name of the file, which stands beside this one.
 * @property sha256 Its SHA-256 in hexadecimal.
 * @property signature Name of the signature to run.
 * @property tile Edge of the square tiles that it takes, halo included.
 * @property halo Pixels on each side of a tile of which the result is not valid.
 * @property keepsTone Whether [keepTone] is to be applied to each result.
 */
data class Sidecar(
    val file: String,
    val sha256: String,
    val signature: String,
    val tile: Int,
    val halo: Int,
    val keepsTone: Boolean,
    val input: TensorInfo,
    val output: TensorInfo,
) {
    /** Edge of what is kept of a tile. */
    val interior: Int
        get() = tile - 2 * halo

    /**
     * Refuses a model's file that is not the one this was written for.
     *
     * @throws IllegalArgumentException It is another one.
     */
    fun check(content: ByteArray) {
        val digest = MessageDigest.getInstance("SHA-256").digest(content)
        val found = digest.joinToString("") { "%02x".format(it) }
        require(found == sha256) { "$file: not the file that its sidecar is of; take both again" }
    }

    companion object {
        /**
         * Reads a sidecar.
         *
         * @param json The content of the file.
         * @throws IllegalArgumentException It is none, or of a model that this code cannot run.
         */
        fun parse(json: String): Sidecar =
            try {
                read(JSONObject(json))
            } catch (error: JSONException) {
                throw IllegalArgumentException("not a model's sidecar: ${error.message}", error)
            }

        private fun read(json: JSONObject): Sidecar {
            val (tile, halo) = json.getJSONObject("tile").let { it.getInt("size") to it.getInt("halo") }
            require(halo >= 0 && tile > 2 * halo) { "a tile of $tile has no room for a halo of $halo" }
            val keepsTone = json.optBoolean("keeps_tone") // an older file does not say
            require(!keepsTone || tile % CELL == 0 && halo % CELL == 0) {
                "a tile of $tile and its halo of $halo must be multiples of $CELL to keep the tone"
            }
            return Sidecar(
                file = json.getString("file"),
                sha256 = json.getString("sha256"),
                signature = json.getString("signature"),
                tile = tile,
                halo = halo,
                keepsTone = keepsTone,
                input = readTensor(json.getJSONArray("inputs"), tile),
                output = readTensor(json.getJSONArray("outputs"), tile),
            )
        }

        private fun readTensor(all: JSONArray, tile: Int): TensorInfo {
            require(all.length() == 1) { "takes or gives ${all.length()} tensors, not an image alone" }
            val json = all.getJSONObject(0)
            val name = json.getString("name")
            val shape = json.getJSONArray("shape").let { array: JSONArray ->
                List(array.length()) { array.getInt(it) }
            }
            require(shape == listOf(1, tile, tile, 3)) { "$name: $shape is not one RGB tile" }
            val quantization = when (val dtype = json.getString("dtype")) {
                "float32" -> null
                "uint8" -> json.getJSONObject("quantization").let {
                    Quantization(it.getDouble("scale").toFloat(), it.getInt("zero_point"))
                }
                else -> throw IllegalArgumentException("$name: $dtype is neither float32 nor uint8")
            }
            return TensorInfo(name, quantization)
        }
    }
}
