// What stands beside a model's file, in a JSON file of the same name.

import Foundation

/// How integers stand for real values: value = scale * (integer - zeroPoint).
public struct Quantization: Decodable, Equatable, Sendable {
  public var scale: Float
  public var zeroPoint: Int

  enum CodingKeys: String, CodingKey {
    case scale
    case zeroPoint = "zero_point"
  }

  public init(scale: Float, zeroPoint: Int) {
    self.scale = scale
    self.zeroPoint = zeroPoint
  }

  /// Turns real values into bytes; those beyond their range are clipped.
  public func bytes(of values: [Float]) -> [UInt8] {
    values.map { value in
      let integer = (value / scale).rounded(.toNearestOrEven) + Float(zeroPoint)
      return UInt8(min(max(integer, 0), 255))
    }
  }

  /// Turns bytes into real values.
  public func values(of bytes: [UInt8]) -> [Float] {
    bytes.map { scale * Float(Int($0) - zeroPoint) }
  }
}

/// What a model takes or gives.
public struct TensorInfo: Decodable, Equatable, Sendable {
  public enum DType: String, Decodable, Sendable {
    case float32, uint8
  }

  /// What the signature calls it.
  public var name: String
  public var shape: [Int]
  public var dtype: DType
  /// None where the values are float32.
  public var quantization: Quantization?
}

/// What an app has to know of a model's file.
public struct Sidecar: Equatable, Sendable {
  /// Name of the file, which stands beside this one.
  public var file: String
  /// Its SHA-256 in hexadecimal.
  public var sha256: String
  /// Name of the signature to run.
  public var signature: String
  /// Edge of the square tiles that it takes, halo included.
  public var tile: Int
  /// Pixels on each side of a tile of which the result is not valid.
  public var halo: Int
  /// Whether `keepTone` is to be applied to each result.
  public var keepsTone: Bool
  public var input: TensorInfo
  public var output: TensorInfo

  /// Edge of what is kept of a tile.
  public var interior: Int { tile - 2 * halo }

  /// Reads a sidecar.
  ///
  /// - Parameter json: The content of the file.
  /// - Throws: `DecodingError` if it is none, `SidecarError` if this code cannot run its model.
  public init(json: Data) throws {
    let content = try JSONDecoder().decode(Content.self, from: json)
    guard content.inputs.count == 1, content.outputs.count == 1 else {
      throw SidecarError(description: "\(content.file): takes or gives more than an image")
    }
    file = content.file
    sha256 = content.sha256
    signature = content.signature
    tile = content.tile.size
    halo = content.tile.halo
    keepsTone = content.keepsTone ?? false  // an older file does not say
    input = content.inputs[0]
    output = content.outputs[0]
    guard halo >= 0, interior > 0 else {
      throw SidecarError(description: "a tile of \(tile) has no room for a halo of \(halo)")
    }
    guard !keepsTone || (tile % toneCell == 0 && halo % toneCell == 0) else {
      throw SidecarError(
        description:
          "a tile of \(tile) and its halo of \(halo) must be multiples of 8 to keep the tone")
    }
    for tensor in [input, output] {
      guard tensor.shape == [1, tile, tile, 3] else {
        throw SidecarError(description: "\(tensor.name): \(tensor.shape) is not one RGB tile")
      }
      guard (tensor.quantization == nil) == (tensor.dtype == .float32) else {
        throw SidecarError(description: "\(tensor.name): \(tensor.dtype) and its scale disagree")
      }
    }
  }
}

/// A sidecar as it stands in the file.
private struct Content: Decodable {
  struct Tile: Decodable {
    var size, halo: Int
  }

  enum CodingKeys: String, CodingKey {
    case file, sha256, signature, tile, inputs, outputs
    case keepsTone = "keeps_tone"
  }

  var file, sha256, signature: String
  var tile: Tile
  var keepsTone: Bool?
  var inputs, outputs: [TensorInfo]
}

/// A model that this code cannot run.
public struct SidecarError: Error, Equatable, CustomStringConvertible {
  public var description: String

  public init(description: String) {
    self.description = description
  }
}
