import Foundation
import KerasDenoise
import XCTest

/// A mean over a square of 7, which sees as far as its halo: what it lacks beyond a tile shows.
private struct Blur: Network {
  let sidecar = try! Sidecar(json: makeSidecar(dtype: "float32"))

  func run(_ noisy: [Float]) -> [Float] {
    let (edge, radius) = (sidecar.tile, sidecar.halo)
    var values = [Float](repeating: 0, count: noisy.count)
    for row in 0..<edge {
      for column in 0..<edge {
        for channel in 0..<3 {
          var sum: Float = 0
          for y in row - radius...row + radius where (0..<edge).contains(y) {
            for x in column - radius...column + radius where (0..<edge).contains(x) {
              sum += noisy[3 * (y * edge + x) + channel]
            }
          }
          values[3 * (row * edge + column) + channel] = sum / 49
        }
      }
    }
    return values
  }
}

/// Adds something else to each channel.
private struct Tint: Network {
  var sidecar = try! Sidecar(json: makeSidecar(dtype: "float32"))

  func run(_ noisy: [Float]) -> [Float] {
    noisy.enumerated().map { $1 + [0.1, 0.2, 0.6][$0 % 3] }
  }
}

final class DenoiserTests: XCTestCase {
  func testTheTilesTogetherAreTheImageProcessedWhole() throws {
    for (height, width) in [(1, 1), (5, 30), (20, 27)] {
      let noisy = makeNoise(height: height, width: width)
      let found = try Denoiser(network: Blur()).denoise(noisy)
      for row in 0..<height {
        for column in 0..<width {
          for channel in 0..<3 {
            var sum = 0
            for y in row - 3...row + 3 {
              for x in column - 3...column + 3 {
                let pixel = reflect(y, in: height) * width + reflect(x, in: width)
                sum += Int(noisy.bytes[4 * pixel + channel])
              }
            }
            let byte = found.bytes[4 * (row * width + column) + channel]
            XCTAssertEqual(Float(byte), Float(sum) / 49, accuracy: 0.51)
          }
        }
      }
    }
  }

  func testTheStrengthGoesFromOneToTheOther() throws {
    let noisy = Pixels(height: 1, width: 1, bytes: [100, 50, 200, 77])
    let denoiser = Denoiser(network: Tint())
    XCTAssertEqual(try denoiser.denoise(noisy, strength: 0), noisy)
    XCTAssertEqual(try denoiser.denoise(noisy).bytes, [126, 101, 255, 77])  // 125.5 and 353
    XCTAssertEqual(try denoiser.denoise(noisy, strength: 0.5).bytes, [113, 76, 255, 77])
  }

  func testGrayStaysGray() throws {
    let noisy = Pixels(height: 1, width: 2, bytes: [0, 0, 0, 9, 100, 100, 100, 8])
    let denoised = try Denoiser(network: Tint()).denoise(noisy)
    XCTAssertEqual(denoised.bytes, [76, 76, 76, 9, 176, 176, 176, 8])  // 0.3 of 255 more
  }

  func testATintIsTakenBackWhereTheToneIsKept() throws {
    let json = makeSidecar(dtype: "float32", tile: 96, halo: 40, tone: true)
    let color: [UInt8] = [40, 120, 200, 255]
    let noisy = Pixels(height: 100, width: 70, bytes: (0..<7000).flatMap { _ in color })
    let denoised = try Denoiser(network: Tint(sidecar: Sidecar(json: json))).denoise(noisy)
    // Tone may change by .75 of 255.
    XCTAssertEqual(denoised.bytes, (0..<7000).flatMap { _ in [41, 121, 201, 255] as [UInt8] })
  }

  func testProgressIsToldAndEndsTheWork() throws {
    struct Enough: Error {}
    var told: [[Int]] = []
    let noisy = makeNoise(height: 9, width: 20)
    let denoiser = Denoiser(network: Tint())
    _ = try denoiser.denoise(noisy) { told.append([$0, $1]) }
    XCTAssertEqual(told, (1...6).map { [$0, 6] })
    XCTAssertThrowsError(try denoiser.denoise(noisy) { _, _ in throw Enough() })
  }

  private func makeNoise(height: Int, width: Int) -> Pixels {
    var state: UInt32 = 1
    let bytes = (0..<4 * height * width).map { _ -> UInt8 in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(state >> 24)
    }
    return Pixels(height: height, width: width, bytes: bytes)
  }
}
