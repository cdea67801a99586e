// What denoising may change at scales where noise averages out: the arithmetic of
// kerasdenoise/inference/tone.py for pixels of 8 bits, held to it by apps/vectors/tone.json.

const WHITE = 255;

// Deviation in pixels of the Gaussian window whose means are kept; the cells in which they are
// taken; how many cells on each side the window reaches, and how many pixels it all reaches.
const WINDOW = 12;
const CELL = 8;
const TAPS = 3;
const REACH = CELL * (TAPS + 2);

// What a mean may change by: a share of the deviation of the mean of noise, and the most.
const SHARE = 0.75 / (2 * Math.sqrt(Math.PI) * WINDOW);
const MOST = (0.75 / 255) * WHITE;

// A picture not larger than the reach needs more than one step.
const ROUNDS = 6;

const SPREAD = Math.sqrt(WINDOW ** 2 - (CELL ** 2 - 1) / 12 - CELL ** 2 / 6) / CELL;
const WEIGHTS = Array.from({ length: 2 * TAPS + 1 }, (_, tap) =>
  Math.exp(-0.5 * ((tap - TAPS) / SPREAD) ** 2),
);
const LEAST = 1e-6;

/**
 * Takes back what a network changed of a tile's tone beyond what noise can explain.
 *
 * Near the kept part's edges the window shows results that the tile's edge made inexact; that
 * changes what is kept by far less than 1 of 255, as `fixed_halo` of tone.py says.
 *
 * @param {Uint8Array} noisy Three values of 0 to 255 for each pixel of a square tile, which starts
 *   at multiples of 8 of the image.
 * @param {Float32Array} denoised What the network made of it, on the same scale; takes the result,
 *   clipped to 0 to 255.
 * @param {number} edge Edge of the tile, a multiple of 8.
 * @param {number[][]} inside Rows and columns of the tile that lie in the image, as [start, stop).
 *   What is around it is reflected, and must not count twice.
 */
export function keepTone(noisy, denoised, edge, inside) {
  const isSmall = inside.every(([start, stop]) => stop - start <= REACH);
  for (let round = 0; round < (isSmall ? ROUNDS : 1); round++) {
    takeBack(noisy, denoised, edge, inside);
  }
}

function takeBack(noisy, denoised, edge, inside) {
  const side = edge / CELL;
  const { changes, tones, power, pixels } = sumCells(noisy, denoised, edge, inside);
  for (let channel = 0; channel < 3; channel++) {
    const down = new Float32Array(side * side);
    const up = new Float32Array(side * side);
    for (let at = 0; at < side * side; at++) {
      // A cell so far outside that the window shows it nothing of the image needs no value.
      const count = Math.max(pixels[at], LEAST);
      const mean = changes[channel][at] / count;
      const tone = tones[channel][at] / count;
      const bound = Math.min(SHARE * Math.sqrt(power[at] / count), MOST);
      // Each pixel goes towards black or white by the same share of the way.
      const darker = Math.max(mean - bound, 0);
      const lighter = Math.max(-mean - bound, 0);
      down[at] = darker / Math.max(tone, darker, LEAST);
      up[at] = lighter / Math.max(WHITE - tone, lighter, LEAST);
    }
    shift(denoised, channel, edge, down, up);
  }
}

/** Sums over the window around each cell: change and tone of each channel, power, and pixels. */
function sumCells(noisy, denoised, edge, [rows, columns]) {
  const side = edge / CELL;
  const make = () => new Float64Array(side * side);
  const [changes, tones] = [[make(), make(), make()], [make(), make(), make()]];
  const [power, pixels] = [make(), make()];
  for (let row = rows[0]; row < rows[1]; row++) {
    let from = 3 * (row * edge + columns[0]);
    for (let column = columns[0]; column < columns[1]; column++) {
      const cell = Math.floor(row / CELL) * side + Math.floor(column / CELL);
      for (let channel = 0; channel < 3; channel++) {
        const tone = clip(denoised[from]);
        const change = tone - noisy[from++];
        tones[channel][cell] += tone;
        changes[channel][cell] += change;
        power[cell] += change ** 2 / 3;
      }
      pixels[cell] += 1;
    }
  }
  for (const sums of [...changes, ...tones, power, pixels]) smooth(sums, side);
  return { changes, tones, power, pixels };
}

/** Sums neighbors by the window's weights; there is nothing beyond the edges. */
function smooth(cells, side) {
  for (const [along, across] of [[side, 1], [1, side]]) {
    for (let line = 0; line < side; line++) {
      const values = Array.from({ length: side }, (_, at) => cells[line * across + at * along]);
      for (let at = 0; at < side; at++) {
        let sum = 0;
        for (let tap = -TAPS; tap <= TAPS; tap++) {
          sum += WEIGHTS[tap + TAPS] * (values[at + tap] ?? 0);
        }
        cells[line * across + at * along] = sum;
      }
    }
  }
}

/** Moves a channel towards black and white, by shares that are interpolated between cells. */
function shift(denoised, channel, edge, down, up) {
  const side = edge / CELL;
  const [dark, light] = [new Float32Array(side), new Float32Array(side)];
  const places = Array.from({ length: edge }, (_, position) => neighbors(position, side));
  for (let row = 0; row < edge; row++) {
    const [above, below, share] = places[row];
    for (let at = 0; at < side; at++) {
      dark[at] = mix(down[above * side + at], down[below * side + at], share);
      light[at] = mix(up[above * side + at], up[below * side + at], share);
    }
    for (let column = 0; column < edge; column++) {
      const [left, right, part] = places[column];
      const at = 3 * (row * edge + column) + channel;
      const towardsWhite = mix(light[left], light[right], part);
      const stays = 1 - mix(dark[left], dark[right], part) - towardsWhite;
      denoised[at] = stays * clip(denoised[at]) + towardsWhite * WHITE;
    }
  }
}

/** The cells between whose centers a pixel lies, and how far; beyond the outermost just that. */
function neighbors(position, side) {
  const place = Math.min(Math.max((position + 0.5) / CELL - 0.5, 0), side - 1);
  const first = Math.floor(place);
  return [first, Math.min(first + 1, side - 1), place - first];
}

function mix(a, b, share) {
  return a + share * (b - a);
}

function clip(value) {
  return Math.min(Math.max(value, 0), WHITE);
}
