// Where to cut an image into tiles so that the seams are exactly nothing: the arithmetic of
// kerasdenoise/inference/tiles.py, held to it by apps/vectors/tiles.json.

/**
 * Maps a position inside or outside an axis to one on it, by reflection that does not repeat the
 * edge (… 2 1 0 1 2 …).
 *
 * @param {number} position Any integer.
 * @param {number} size Length of the axis, at least 1.
 * @returns {number} An index in [0, size).
 */
export function reflect(position, size) {
  if (size === 1) return 0;
  const period = 2 * (size - 1);
  const folded = ((position % period) + period) % period;
  return Math.min(folded, period - folded);
}

/**
 * Lays tiles of one size over an image, row by row; each pixel is kept once.
 *
 * Of each tile: `read`, the rows and columns to read, reflected where they leave the image;
 * `inside`, those of the tile that lie in the image; `keep`, those of its result that are valid;
 * `place`, where these go in the image. All are pairs of [start, stop).
 *
 * @param {number} height Rows of the image.
 * @param {number} width Columns of the image.
 * @param {[number, number]} interior Height and width of a tile without its halo.
 * @param {number} halo Pixels on each side of a tile that are read but not kept.
 */
export function layTiles(height, width, interior, halo) {
  const columns = cut(width, interior[1], halo);
  return cut(height, interior[0], halo).flatMap((row) =>
    columns.map((column) => ({
      read: [row.read, column.read],
      inside: [row.inside, column.inside],
      keep: [row.keep, column.keep],
      place: [row.place, column.place],
    })),
  );
}

function cut(length, interior, halo) {
  const cuts = [];
  for (let start = 0; start < length; start += interior) {
    const stop = Math.min(start + interior, length);
    cuts.push({
      read: [start - halo, start + interior + halo],
      inside: [Math.max(halo - start, 0), Math.min(length - start, interior + halo) + halo],
      keep: [halo, halo + stop - start],
      place: [start, stop],
    });
  }
  return cuts;
}
