// swift-tools-version: 5.9

import PackageDescription

// LiteRT is the app's own dependency: see LiteRTNetwork.swift, which goes into the app.
let package = Package(
  name: "KerasDenoise",
  platforms: [.iOS(.v15), .macOS(.v12)],
  products: [.library(name: "KerasDenoise", targets: ["KerasDenoise"])],
  targets: [
    .target(name: "KerasDenoise"),
    .testTarget(name: "KerasDenoiseTests", dependencies: ["KerasDenoise"]),
  ]
)
