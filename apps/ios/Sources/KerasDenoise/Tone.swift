// What denoising may change at scales where noise averages out: the arithmetic of
// kerasdenoise/inference/tone.py for pixels of 8 bits, held to it by apps/vectors/tone.json.

import Foundation

/// Edge in pixels of the cells in which means are taken. Tiles start and end between them.
let toneCell = 8

// Deviation in pixels of the Gaussian window whose means are kept; how many cells on each side it
// reaches, and how many pixels it all reaches.
private let window = 12.0
private let taps = 3
private let reach = toneCell * (taps + 2)

// What a mean may change by: a share of the deviation of the mean of noise, and the most.
private let share = 0.75 / (2 * Double.pi.squareRoot() * window)
private let most = 0.75 / 255.0

/// A picture not larger than the reach needs more than one step.
private let rounds = 6

private let weights: [Double] = {
  let cell = Double(toneCell)
  let variance = window * window - (cell * cell - 1) / 12 - cell * cell / 6
  return (-taps...taps).map { (tap: Int) -> Double in
    let away = Double(tap) * cell
    return exp(-0.5 * away * away / variance)
  }
}()
private let least = 1e-6

/// Takes back what a network changed of a tile's tone beyond what noise can explain.
///
/// Near the kept part's edges the window shows results that the tile's edge made inexact; that
/// changes what is kept by far less than 1 of 255, as `fixed_halo` of tone.py says.
///
/// - Parameters:
///   - noisy: Red, green and blue of each pixel of a square tile, row by row, in [0, 1]; it starts
///     at multiples of 8 of the image.
///   - denoised: What the network made of it; takes the result, clipped to [0, 1].
///   - edge: Edge of the tile, a multiple of 8.
///   - inside: Which part of the tile lies in the image. What is around it is reflected, and must
///     not count twice.
public func keepTone(_ noisy: [Float], _ denoised: inout [Float], edge: Int, inside: Area) {
  let isSmall = max(inside.rows.count, inside.columns.count) <= reach
  for _ in 0..<(isSmall ? rounds : 1) {
    takeBack(noisy, &denoised, edge: edge, inside: inside)
  }
}

private func takeBack(_ noisy: [Float], _ denoised: inout [Float], edge: Int, inside: Area) {
  let side = edge / toneCell
  let sums = WindowSums(noisy, denoised, edge: edge, inside: inside)
  for channel in 0..<3 {
    var down = [Double](repeating: 0, count: side * side)
    var up = down
    for at in 0..<side * side {
      // A cell so far outside that the window shows it nothing of the image needs no value.
      let count = max(sums.pixels[at], least)
      let mean = sums.changes[channel][at] / count
      let tone = sums.tones[channel][at] / count
      let bound = min(share * (sums.power[at] / count).squareRoot(), most)
      // Each pixel goes towards black or white by the same share of the way.
      let darker = max(mean - bound, 0)
      let lighter = max(-mean - bound, 0)
      down[at] = darker / max(tone, darker, least)
      up[at] = lighter / max(1 - tone, lighter, least)
    }
    shift(&denoised, channel: channel, edge: edge, down: down, up: up)
  }
}

/// Sums over the window around each cell.
private struct WindowSums {
  var changes, tones: [[Double]]
  var power, pixels: [Double]

  init(_ noisy: [Float], _ denoised: [Float], edge: Int, inside: Area) {
    let side = edge / toneCell
    power = [Double](repeating: 0, count: side * side)
    pixels = power
    changes = [power, power, power]
    tones = changes
    for row in inside.rows {
      var from = 3 * (row * edge + inside.columns.lowerBound)
      for column in inside.columns {
        let cell = row / toneCell * side + column / toneCell
        for channel in 0..<3 {
          let tone = clip(denoised[from])
          let change = tone - Double(noisy[from])
          tones[channel][cell] += tone
          changes[channel][cell] += change
          power[cell] += change * change / 3
          from += 1
        }
        pixels[cell] += 1
      }
    }
    for channel in 0..<3 {
      smooth(&changes[channel], side: side)
      smooth(&tones[channel], side: side)
    }
    smooth(&power, side: side)
    smooth(&pixels, side: side)
  }
}

/// Sums neighbors by the window's weights; there is nothing beyond the edges.
private func smooth(_ cells: inout [Double], side: Int) {
  for (along, across) in [(side, 1), (1, side)] {
    for line in 0..<side {
      let values = (0..<side).map { cells[line * across + $0 * along] }
      for at in 0..<side {
        var sum = 0.0
        for tap in -taps...taps where values.indices.contains(at + tap) {
          sum += weights[tap + taps] * values[at + tap]
        }
        cells[line * across + at * along] = sum
      }
    }
  }
}

/// Moves a channel towards black and white, by shares that are interpolated between cells.
private func shift(
  _ denoised: inout [Float], channel: Int, edge: Int, down: [Double], up: [Double]
) {
  let side = edge / toneCell
  let places = (0..<edge).map { Place(of: $0, side: side) }
  for row in 0..<edge {
    let (above, below) = (places[row].first * side, places[row].second * side)
    let dark = (0..<side).map { mix(down[above + $0], down[below + $0], places[row].share) }
    let light = (0..<side).map { mix(up[above + $0], up[below + $0], places[row].share) }
    for column in 0..<edge {
      let place = places[column]
      let at = 3 * (row * edge + column) + channel
      let towardsBlack = mix(dark[place.first], dark[place.second], place.share)
      let towardsWhite = mix(light[place.first], light[place.second], place.share)
      let stays = 1 - towardsBlack - towardsWhite
      denoised[at] = Float(stays * clip(denoised[at]) + towardsWhite)
    }
  }
}

/// Two cells between whose centers a pixel lies, and how far from the first one.
private struct Place {
  var first, second: Int
  var share: Double

  init(of position: Int, side: Int) {
    // Beyond the outermost center nothing changes.
    let place = (Double(position) + 0.5) / Double(toneCell) - 0.5
    let exact = min(max(place, 0), Double(side - 1))
    first = Int(exact)
    second = min(first + 1, side - 1)
    share = exact - Double(first)
  }
}

private func mix(_ a: Double, _ b: Double, _ share: Double) -> Double {
  a + share * (b - a)
}

private func clip(_ value: Float) -> Double {
  Double(min(max(value, 0), 1))
}
