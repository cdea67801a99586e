// A model's file, run by LiteRT. Goes into the app, beside the packages LiteRT and KerasDenoise.

import CryptoKit
import Foundation
import KerasDenoise
import LiteRT

/// A model of the app. Not for two threads at a time.
public final class LiteRTNetwork: Network {
  public let sidecar: Sidecar
  private let model: CompiledModel
  private let input: TensorBuffer
  private let output: TensorBuffer

  /// Loads a model.
  ///
  /// - Parameters:
  ///   - sidecar: Where its JSON file is; the model's file is beside it.
  ///   - accelerator: What it runs on. `.gpu` needs the product `LiteRtMetalAccelerator`, may
  ///     compute with 16 bits, and throws where the model cannot run on it.
  ///   - threads: Threads of the CPU.
  /// - Throws: `SidecarError` if the two files do not belong together or are of a kind that this
  ///   code cannot run, and what LiteRT throws.
  public init(sidecar url: URL, accelerator: Accelerator = .cpu, threads: Int = 2) throws {
    sidecar = try Sidecar(json: Data(contentsOf: url))
    let file = url.deletingLastPathComponent().appendingPathComponent(sidecar.file)
    let digest = SHA256.hash(data: try Data(contentsOf: file))
    guard digest.map({ String(format: "%02x", $0) }).joined() == sidecar.sha256 else {
      throw SidecarError(
        description: "\(sidecar.file): not the file that its sidecar is of; take both again")
    }
    let options = try Options()
    try options.setHardwareAccelerators([accelerator])
    if accelerator == .cpu {
      let cpu = try CpuOptions()
      try cpu.setNumThreads(threads)
      try options.addConcreteOptions(cpu)
    }
    // A file of this project has one signature, which is what LiteRT runs by default.
    model = try CompiledModel(filePath: file.path, environment: Environment(), options: options)
    guard
      let input = try model.createInputBuffers().first,
      let output = try model.createOutputBuffers().first
    else {
      throw SidecarError(description: "\(sidecar.file): takes or gives nothing")
    }
    self.input = input
    self.output = output
  }

  public func run(_ noisy: [Float]) throws -> [Float] {
    if let quantization = sidecar.input.quantization {
      try input.write(quantization.bytes(of: noisy))
    } else {
      try input.write(noisy)
    }
    try model.run(inputs: [input], outputs: [output])
    guard let quantization = sidecar.output.quantization else { return try output.read() }
    return quantization.values(of: try output.read())
  }
}
