import Foundation
import KerasDenoise
import XCTest

final class SidecarTests: XCTestCase {
  func testASidecarIsRead() throws {
    let sidecar = try Sidecar(json: makeSidecar(dtype: "uint8"))
    XCTAssertEqual(sidecar.file, "tiny.tflite")
    XCTAssertEqual(sidecar.signature, "serving_default")
    XCTAssertEqual(sidecar.interior, 8)
    XCTAssertEqual(sidecar.input.name, "noisy")
    XCTAssertEqual(sidecar.input.quantization, Quantization(scale: 0.5, zeroPoint: 3))
    XCTAssertNil(try Sidecar(json: makeSidecar(dtype: "float32")).output.quantization)
    XCTAssertFalse(sidecar.keepsTone)
    let keeper = makeSidecar(dtype: "uint8", tile: 96, halo: 40, tone: true)
    XCTAssertTrue(try Sidecar(json: keeper).keepsTone)
  }

  func testWhatCannotBeRunIsRefused() throws {
    XCTAssertThrowsError(try Sidecar(json: Data("{}".utf8)))
    XCTAssertThrowsError(try Sidecar(json: makeSidecar(dtype: "int16")))
    let two = makeSidecar(dtype: "float32", takes: ["noisy", "noise_level"])
    XCTAssertThrowsError(try Sidecar(json: two)) { XCTAssert($0 is SidecarError) }
    for (halo, shape) in [(7, [1, 14, 14, 3]), (3, [1, 14, 14, 1]), (3, [1, 16, 16, 3])] {
      let json = makeSidecar(dtype: "float32", halo: halo, shape: shape)
      XCTAssertThrowsError(try Sidecar(json: json)) { XCTAssert($0 is SidecarError) }
    }
  }

  func testTilesThatDoNotFitTheCellsOfToneAreRefused() {
    for (tile, halo) in [(92, 40), (96, 36)] {
      let json = makeSidecar(dtype: "float32", tile: tile, halo: halo, tone: true)
      XCTAssertThrowsError(try Sidecar(json: json)) { XCTAssert($0 is SidecarError) }
    }
  }

  func testBytesStandForValues() {
    let quantization = Quantization(scale: 0.5, zeroPoint: 3)
    XCTAssertEqual(quantization.bytes(of: [0, 0.25, 0.75, 1, -9, 999]), [3, 3, 5, 5, 0, 255])
    XCTAssertEqual(quantization.values(of: [3, 5, 0]), [0, 1, -1.5])
    let pixels = Quantization(scale: 1.0 / 255, zeroPoint: 0)
    let all = [UInt8](0...255)
    XCTAssertEqual(pixels.bytes(of: all.map { Float($0) / 255 }), all)
  }
}

func makeSidecar(
  dtype: String, tile: Int = 14, halo: Int = 3, shape: [Int]? = nil,
  takes names: [String] = ["noisy"], tone: Bool? = nil
) -> Data {
  let shape = shape ?? [1, tile, tile, 3]
  let scale = dtype == "float32" ? "null" : #"{"scale": 0.5, "zero_point": 3}"#
  let rest = #""shape": \#(shape), "dtype": "\#(dtype)", "quantization": \#(scale)"#
  let inputs = names.map { #"{"name": "\#($0)", \#(rest)}"# }.joined(separator: ", ")
  let keeps = tone.map { #""keeps_tone": \#($0), "# } ?? ""
  return Data(
    """
    {"file": "tiny.tflite", "sha256": "00", "signature": "serving_default",
    "tile": {"size": \(tile), "halo": \(halo)}, "inputs": [\(inputs)],
    \(keeps)"outputs": [{"name": "denoised", \(rest)}]}
    """.utf8)
}
