package kerasdenoise

import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The tiling, held to what kerasdenoise/inference/tiles.py does. */
class TilesTest {
    private val vectors = JSONObject(
        checkNotNull(javaClass.getResource("/tiles.json")) {
            "apps/vectors/tiles.json is not among the resources of the tests"
        }.readText()
    )

    @Test
    fun `positions are reflected`() {
        val cases = vectors.getJSONArray("reflect").objects()
        assertTrue(cases.isNotEmpty())
        for (case in cases) {
            val positions = case.getInt("start") until case.getInt("stop")
            val found = positions.map { reflect(it, case.getInt("size")) }
            assertEquals(case.getJSONArray("indices").integers(), found)
        }
    }

    @Test
    fun `tiles are laid`() {
        val cases = vectors.getJSONArray("grids").objects()
        assertTrue(cases.isNotEmpty())
        for (case in cases) {
            val (rows, columns) = case.getJSONArray("interior").integers()
            val found = layTiles(
                case.getInt("height"), case.getInt("width"), rows, columns, case.getInt("halo")
            )
            val expected = case.getJSONArray("tiles").objects().map {
                Tile(area(it, "read"), area(it, "inside"), area(it, "keep"), area(it, "place"))
            }
            assertEquals(expected, found)
        }
    }

    private fun area(tile: JSONObject, part: String): Area {
        val (rows, columns) = tile.getJSONArray(part).let { spans ->
            List(2) { span -> spans.getJSONArray(span).integers() }
        }
        return Area(Span(rows[0], rows[1]), Span(columns[0], columns[1]))
    }
}

private fun JSONArray.objects() = List(length()) { getJSONObject(it) }

private fun JSONArray.integers() = List(length()) { getInt(it) }
