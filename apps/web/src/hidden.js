// Colors that nobody sees, under an alpha of 0: to browsers they are black, which must not show in
// what is around them. The arithmetic of `fill` in kerasdenoise/inference/outliers.py, held to it
// by apps/vectors/hidden.json.

/**
 * Gives hidden pixels the mean of what is seen around them: of the smallest block of 2, 4, 8 pixels
 * and so on that shows any of the image.
 *
 * @param {ImageData} image The image.
 * @returns {Uint8ClampedArray} Its pixels, or a copy of them with the hidden ones filled, in which
 *   alpha means nothing.
 */
export function fillHidden({ data, width, height }) {
  if (!hasHidden(data)) return data;
  const filled = new Uint8ClampedArray(data);
  for (let at = 0; at < filled.length; at += 4) {
    // As the last of four values, how many pixels the others are the sum of.
    if (filled[at + 3] === 0) filled.fill(0, at, at + 4);
    else filled[at + 3] = 1;
  }
  let blocks = { sums: filled, width, height };
  for (let size = 2; size < 2 * Math.max(width, height); size *= 2) {
    blocks = halve(blocks);
    for (let at = 0; at < filled.length; at += 4) {
      if (filled[at + 3] !== 0) continue;
      const [row, column] = [Math.floor(at / 4 / width), (at / 4) % width];
      const from = 4 * (Math.floor(row / size) * blocks.width + Math.floor(column / size));
      const [red, green, blue, count] = blocks.sums.subarray(from, from + 4);
      if (count > 0) filled.set([red / count, green / count, blue / count, 1], at);
    }
  }
  return filled;
}

function hasHidden(data) {
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] === 0) return true;
  }
  return false;
}

function halve({ sums, width, height }) {
  const [wide, tall] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const halved = new Float32Array(4 * wide * tall);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = 4 * (row * width + column);
      const to = 4 * (Math.floor(row / 2) * wide + Math.floor(column / 2));
      for (let each = 0; each < 4; each++) halved[to + each] += sums[from + each];
    }
  }
  return { sums: halved, width: wide, height: tall };
}
