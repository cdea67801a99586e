// An image in, an image out: tile by tile, as kerasdenoise/inference/denoiser.py does it.

/// Runs a model on one tile.
public protocol Network {
  var sidecar: Sidecar { get }

  /// Denoises a tile.
  ///
  /// - Parameter noisy: Red, green and blue of each pixel, row by row, in [0, 1]; `tile` squared
  ///   pixels.
  /// - Returns: The same of the denoised tile, not clipped.
  func run(_ noisy: [Float]) throws -> [Float]
}

/// An image of 8 bits: red, green, blue and alpha of each pixel, row by row.
public struct Pixels: Equatable, Sendable {
  public let height: Int
  public let width: Int
  public var bytes: [UInt8]

  /// - Parameter bytes: Four for each pixel.
  public init(height: Int, width: Int, bytes: [UInt8]) {
    precondition(height > 0 && width > 0 && bytes.count == 4 * height * width)
    self.height = height
    self.width = width
    self.bytes = bytes
  }

  var isGray: Bool {
    stride(from: 0, to: bytes.count, by: 4).allSatisfy { (at: Int) -> Bool in
      let red = bytes[at]
      return red == bytes[at + 1] && red == bytes[at + 2]
    }
  }
}

/// Denoises images of any size.
public struct Denoiser {
  private let network: any Network

  public init(network: any Network) {
    self.network = network
  }

  /// Denoises an image. Takes seconds: not for the main thread.
  ///
  /// An image of gray pixels stays gray. Alpha is copied.
  ///
  /// - Parameters:
  ///   - noisy: The image.
  ///   - strength: 0 for no change, 1 for all of the denoising.
  ///   - onTile: Is told after each tile how many are done, of how many; what it throws ends the
  ///     work.
  public func denoise(
    _ noisy: Pixels,
    strength: Float = 1,
    onTile: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
  ) throws -> Pixels {
    precondition((0...1).contains(strength), "strength \(strength) is not between 0 and 1")
    let sidecar = network.sidecar
    let tiles = layTiles(
      height: noisy.height, width: noisy.width,
      interior: (sidecar.interior, sidecar.interior), halo: sidecar.halo)
    let isGray = noisy.isGray
    var denoised = noisy
    for (index, tile) in tiles.enumerated() {
      let given = read(noisy, tile.read)
      var values = try network.run(given)
      // Three equal channels come out a little different each; their mean keeps gray gray.
      if isGray { averageChannels(&values) }
      if sidecar.keepsTone {
        keepTone(given, &values, edge: sidecar.tile, inside: tile.inside)
      }
      keep(values, of: tile, in: &denoised, strength: strength)
      try onTile(index + 1, tiles.count)
    }
    return denoised
  }

  private func read(_ image: Pixels, _ area: Area) -> [Float] {
    let columns = area.columns.map { 4 * reflect($0, in: image.width) }
    var values: [Float] = []
    values.reserveCapacity(3 * area.rows.count * columns.count)
    for row in area.rows {
      let start = 4 * image.width * reflect(row, in: image.height)
      for column in columns {
        for channel in 0..<3 {
          values.append(Float(image.bytes[start + column + channel]) / 255)
        }
      }
    }
    return values
  }

  /// Goes from noisy pixels towards the kept part of a denoised tile, and rounds.
  private func keep(_ values: [Float], of tile: Tile, in image: inout Pixels, strength: Float) {
    for (row, placeRow) in zip(tile.keep.rows, tile.place.rows) {
      var from = 3 * (row * network.sidecar.tile + tile.keep.columns.lowerBound)
      var to = 4 * (placeRow * image.width + tile.place.columns.lowerBound)
      for _ in tile.keep.columns {
        for channel in 0..<3 {
          let before = Float(image.bytes[to + channel])
          let value = before + strength * (255 * values[from + channel] - before)
          image.bytes[to + channel] = UInt8(min(max(value.rounded(.toNearestOrEven), 0), 255))
        }
        from += 3
        to += 4
      }
    }
  }
}

private func averageChannels(_ values: inout [Float]) {
  for at in stride(from: 0, to: values.count, by: 3) {
    let mean = (values[at] + values[at + 1] + values[at + 2]) / 3
    values.replaceSubrange(at..<at + 3, with: repeatElement(mean, count: 3))
  }
}
