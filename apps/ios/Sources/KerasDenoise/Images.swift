// Apple's images.

#if canImport(CoreGraphics)
  import CoreGraphics

  extension Denoiser {
    /// Denoises an image. Takes seconds: not for the main thread.
    ///
    /// - Parameters:
    ///   - noisy: The image, upright. Its color space is kept if it is of RGB; others become sRGB.
    ///     Alpha is dropped.
    ///   - strength: 0 for no change, 1 for all of the denoising.
    ///   - onTile: Is told after each tile how many are done, of how many; what it throws ends the
    ///     work.
    /// - Throws: What the network throws, and `ImageError` where there is no memory for a copy.
    public func denoise(
      _ noisy: CGImage,
      strength: Float = 1,
      onTile: (_ done: Int, _ all: Int) throws -> Void = { _, _ in }
    ) throws -> CGImage {
      let isRGB = noisy.colorSpace?.model == .rgb && noisy.colorSpace?.supportsOutput == true
      guard let space = isRGB ? noisy.colorSpace : CGColorSpace(name: CGColorSpace.sRGB) else {
        throw ImageError()
      }
      let pixels = try draw(noisy, in: space)
      return try makeImage(denoise(pixels, strength: strength, onTile: onTile), in: space)
    }
  }

  /// There was no memory for an image.
  public struct ImageError: Error {}

  private func draw(_ image: CGImage, in space: CGColorSpace) throws -> Pixels {
    var bytes = [UInt8](repeating: 255, count: 4 * image.width * image.height)
    try bytes.withUnsafeMutableBytes { buffer in
      guard let context = makeContext(buffer.baseAddress, image.width, image.height, space) else {
        throw ImageError()
      }
      context.draw(image, in: CGRect(x: 0, y: 0, width: image.width, height: image.height))
    }
    return Pixels(height: image.height, width: image.width, bytes: bytes)
  }

  private func makeImage(_ pixels: Pixels, in space: CGColorSpace) throws -> CGImage {
    var bytes = pixels.bytes
    return try bytes.withUnsafeMutableBytes { buffer in
      let context = makeContext(buffer.baseAddress, pixels.width, pixels.height, space)
      guard let image = context?.makeImage() else { throw ImageError() }
      return image
    }
  }

  private func makeContext(
    _ bytes: UnsafeMutableRawPointer?, _ width: Int, _ height: Int, _ space: CGColorSpace
  ) -> CGContext? {
    CGContext(
      data: bytes, width: width, height: height, bitsPerComponent: 8, bytesPerRow: 4 * width,
      space: space, bitmapInfo: CGImageAlphaInfo.noneSkipLast.rawValue)
  }
#endif
