import Foundation
import KerasDenoise
import XCTest

/// What keeps the tone, held to what kerasdenoise/inference/tone.py does.
final class ToneTests: XCTestCase {
  private struct Vectors: Decodable {
    struct Case: Decodable {
      var edge: Int
      var inside: [[Int]]
      var noisy, denoised, expected: [Float]
    }

    var tone: [Case]
  }

  func testATintIsTakenBack() throws {
    let apps = (0..<4).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
      url.deletingLastPathComponent()
    }
    let json = try Data(contentsOf: apps.appendingPathComponent("vectors/tone.json"))
    let cases = try JSONDecoder().decode(Vectors.self, from: json).tone
    XCTAssertFalse(cases.isEmpty)
    for expected in cases {
      let spans = expected.inside.map { $0[0]..<$0[1] }
      var found = expected.denoised.map { $0 / 255 }
      keepTone(
        expected.noisy.map { $0 / 255 }, &found, edge: expected.edge,
        inside: Area(rows: spans[0], columns: spans[1]))
      XCTAssertEqual(found.count, expected.expected.count)
      let differences = zip(found, expected.expected).map { abs(255 * $0 - $1) }
      XCTAssertLessThan(try XCTUnwrap(differences.max()), 0.01)
    }
  }
}
