// Pixels in, pixels out: tile by tile, as kerasdenoise/inference/denoiser.py does it.

import { fillHidden } from "./hidden.js";
import { layTiles, reflect } from "./tiles.js";
import { keepTone } from "./tone.js";

/**
 * Denoises an image.
 *
 * @param {ImageData} noisy The image.
 * @param {ImageData} denoised Of the same size; takes the result, part by part, and the alpha.
 * @param {(tile: Uint8Array) => Promise<Float32Array>} run Denoises one tile.
 * @param {{tile: number, halo: number, keepsTone: boolean}} model Edge of a tile, how much of it is
 *   its halo, and whether the tone is kept; both are multiples of 8 then.
 * @param {(place: number[][], share: number) => Promise<void>} onTile Is told rows and columns of
 *   each part when it is done, and how much is done; what it throws ends the work.
 */
export async function denoisePixels(noisy, denoised, run, model, onTile) {
  const { tile: edge, halo, keepsTone } = model;
  const interior = edge - 2 * halo;
  const tiles = layTiles(noisy.height, noisy.width, [interior, interior], halo);
  const { width, height } = noisy;
  const seen = { width, height, data: fillHidden(noisy) };
  const gray = isGray(seen.data);
  for (const [index, tile] of tiles.entries()) {
    const given = readTile(seen, tile.read);
    const values = await run(given);
    // Three equal channels come out a little different each; their mean keeps gray gray.
    if (gray) averageChannels(values);
    if (keepsTone) keepTone(given, values, edge, tile.inside);
    keepTile(noisy, denoised, values, edge, tile);
    await onTile(tile.place, (index + 1) / tiles.length);
  }
}

function readTile({ width, height, data }, [rows, columns]) {
  const sources = [];
  for (let column = columns[0]; column < columns[1]; column++) {
    sources.push(4 * reflect(column, width));
  }
  const tile = new Uint8Array(3 * (rows[1] - rows[0]) * sources.length);
  let to = 0;
  for (let row = rows[0]; row < rows[1]; row++) {
    const start = 4 * width * reflect(row, height);
    for (const source of sources) {
      const from = start + source;
      tile[to++] = data[from];
      tile[to++] = data[from + 1];
      tile[to++] = data[from + 2];
    }
  }
  return tile;
}

function keepTile(noisy, denoised, values, edge, { keep, place }) {
  const [rows, columns] = keep;
  for (let row = rows[0]; row < rows[1]; row++) {
    let from = 3 * (row * edge + columns[0]);
    let to = 4 * ((place[0][0] + row - rows[0]) * noisy.width + place[1][0]);
    for (const stop = from + 3 * (columns[1] - columns[0]); from < stop; ) {
      // An ImageData rounds and clips what it is given.
      denoised.data[to++] = values[from++];
      denoised.data[to++] = values[from++];
      denoised.data[to++] = values[from++];
      denoised.data[to] = noisy.data[to++];
    }
  }
}

function isGray(data) {
  for (let at = 0; at < data.length; at += 4) {
    if (data[at] !== data[at + 1] || data[at] !== data[at + 2]) return false;
  }
  return true;
}

function averageChannels(values) {
  for (let at = 0; at < values.length; at += 3) {
    values.fill((values[at] + values[at + 1] + values[at + 2]) / 3, at, at + 3);
  }
}
