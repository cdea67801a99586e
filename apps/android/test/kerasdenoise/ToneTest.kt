package kerasdenoise

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** What keeps the tone, held to what kerasdenoise/inference/tone.py does. */
class ToneTest {
    private val vectors = JSONObject(
        checkNotNull(javaClass.getResource("/tone.json")) {
            "apps/vectors/tone.json is not among the resources of the tests"
        }.readText()
    )

    @Test
    fun `a tint is taken back`() {
        val cases = vectors.getJSONArray("tone").let { all -> List(all.length(), all::getJSONObject) }
        assertTrue(cases.isNotEmpty())
        for (case in cases) {
            val (rows, columns) = case.getJSONArray("inside").let { spans ->
                List(2) { span -> spans.getJSONArray(span).let { Span(it.getInt(0), it.getInt(1)) } }
            }
            val denoised = case.getJSONArray("denoised").values()
            keepTone(
                case.getJSONArray("noisy").values(), denoised, case.getInt("edge"), Area(rows, columns)
            )
            assertArrayEquals(case.getJSONArray("expected").values(), denoised, 0.01f / 255)
        }
    }
}

private fun JSONArray.values() = FloatArray(length()) { (getDouble(it) / 255).toFloat() }
