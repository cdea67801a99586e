import Foundation
import KerasDenoise
import XCTest

/// The tiling, held to what kerasdenoise/inference/tiles.py does.
final class TilesTests: XCTestCase {
  private struct Vectors: Decodable {
    struct Reflection: Decodable {
      var start, stop, size: Int
      var indices: [Int]
    }

    struct Grid: Decodable {
      struct Part: Decodable {
        var read, inside, keep, place: [[Int]]
      }

      var height, width, halo: Int
      var interior: [Int]
      var tiles: [Part]
    }

    var reflect: [Reflection]
    var grids: [Grid]
  }

  private func vectors() throws -> Vectors {
    let apps = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
      url.deletingLastPathComponent()
    }
    let json = try Data(contentsOf: apps.appendingPathComponent("vectors/tiles.json"))
    return try JSONDecoder().decode(Vectors.self, from: json)
  }

  func testPositionsAreReflected() throws {
    let cases = try vectors().reflect
    XCTAssertFalse(cases.isEmpty)
    for expected in cases {
      let found = (expected.start..<expected.stop).map { reflect($0, in: expected.size) }
      XCTAssertEqual(found, expected.indices)
    }
  }

  func testTilesAreLaid() throws {
    let cases = try vectors().grids
    XCTAssertFalse(cases.isEmpty)
    for grid in cases {
      let found = layTiles(
        height: grid.height, width: grid.width,
        interior: (grid.interior[0], grid.interior[1]), halo: grid.halo)
      let expected = grid.tiles.map { tile in
        Tile(
          read: area(tile.read), inside: area(tile.inside), keep: area(tile.keep),
          place: area(tile.place))
      }
      XCTAssertEqual(found, expected)
    }
  }

  private func area(_ spans: [[Int]]) -> Area {
    Area(rows: spans[0][0]..<spans[0][1], columns: spans[1][0]..<spans[1][1])
  }
}
