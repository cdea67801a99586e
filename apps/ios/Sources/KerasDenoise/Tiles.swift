// Where to cut an image into tiles so that the seams are exactly nothing: the arithmetic of
// kerasdenoise/inference/tiles.py, held to it by apps/vectors/tiles.json.

/// A rectangle: its rows and columns.
public struct Area: Equatable, Sendable {
  public var rows: Range<Int>
  public var columns: Range<Int>

  public init(rows: Range<Int>, columns: Range<Int>) {
    self.rows = rows
    self.columns = columns
  }
}

/// One tile.
public struct Tile: Equatable, Sendable {
  /// What to read of the image, reflected where it leaves it; see `reflect`.
  public var read: Area
  /// Which part of the tile lies in the image.
  public var inside: Area
  /// Which part of the tile's result is valid.
  public var keep: Area
  /// Where that goes in the image.
  public var place: Area

  public init(read: Area, inside: Area, keep: Area, place: Area) {
    self.read = read
    self.inside = inside
    self.keep = keep
    self.place = place
  }
}

/// Maps a position inside or outside an axis to one on it, by reflection that does not repeat the
/// edge (… 2 1 0 1 2 …).
///
/// - Parameters:
///   - position: Any integer.
///   - size: Length of the axis, at least 1.
/// - Returns: An index in `0..<size`.
public func reflect(_ position: Int, in size: Int) -> Int {
  if size == 1 { return 0 }
  let period = 2 * (size - 1)
  let folded = ((position % period) + period) % period
  return min(folded, period - folded)
}

/// Lays tiles of one size over an image, row by row; each pixel is kept once.
///
/// - Parameters:
///   - height: Rows of the image.
///   - width: Columns of the image.
///   - interior: Height and width of a tile without its halo.
///   - halo: Pixels on each side of a tile that are read but not kept.
public func layTiles(
  height: Int, width: Int, interior: (height: Int, width: Int), halo: Int
) -> [Tile] {
  let columns = cut(width, interior: interior.width, halo: halo)
  return cut(height, interior: interior.height, halo: halo).flatMap { row in
    columns.map { column in
      Tile(
        read: Area(rows: row.read, columns: column.read),
        inside: Area(rows: row.inside, columns: column.inside),
        keep: Area(rows: row.keep, columns: column.keep),
        place: Area(rows: row.place, columns: column.place)
      )
    }
  }
}

private struct Cut {
  var read, inside, keep, place: Range<Int>
}

private func cut(_ length: Int, interior: Int, halo: Int) -> [Cut] {
  stride(from: 0, to: length, by: interior).map { start in
    let stop = min(start + interior, length)
    return Cut(
      read: start - halo..<start + interior + halo,
      inside: max(halo - start, 0)..<min(length - start, interior + halo) + halo,
      keep: halo..<halo + stop - start,
      place: start..<stop
    )
  }
}
