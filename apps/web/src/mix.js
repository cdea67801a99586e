// How noisy and denoised pixels are mixed: the arithmetic of kerasdenoise/inference/mix.py, where the
// noise level is unknown, held to it by apps/vectors/mix.json.

import { reflect } from "./tiles.js";

const LUMA = [0.299, 0.587, 0.114];
const SPLINE = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16];
const STEPS = [1, 2];
const NEAR = 7;
const WIDE = 31;
const DOUBT = 1.5;
const MARGIN = 21; // 6 pixels for the splines, 15 for the wider window
const ROWS = 256; // are done at a time, so that little memory is enough

/** A mixture that is nothing but the denoised pixels. */
export const PLAIN = { luma: 1, chroma: 1, detail: 0 };

/**
 * Whether a mixture is the denoised pixels, at any strength.
 *
 * @param {{luma: number, chroma: number, detail: number}} mixture Of `mixInto`.
 */
export function isPlain({ luma, chroma, detail }) {
  return luma === 1 && chroma === 1 && detail === 0;
}

/**
 * Goes from the noisy pixels towards the denoised ones.
 *
 * @param {ImageData} noisy The image.
 * @param {ImageData} denoised The whole result, with the same alpha.
 * @param {ImageData} mixed Of the same size; takes what lies between.
 * @param {{strength: number, luma: number, chroma: number, detail: number}} mixture All in [0, 1]:
 *   how much of the denoising to apply, what that is multiplied by for luma and for color, and how
 *   much of the detail that was removed to give back.
 */
export function mixInto(noisy, denoised, mixed, { strength, luma, chroma, detail }) {
  const { width, height } = noisy;
  const [ofLuma, ofChroma] = [strength * luma, strength * chroma];
  for (let top = 0; top < height; top += ROWS) {
    const rows = Math.min(ROWS, height - top);
    const back = detail * ofLuma ? findDetail(readLuma(noisy, denoised, top, rows)).data : null;
    for (let at = 0; at < rows * width; at++) {
      const from = 4 * (top * width + at);
      const change = LUMA[0] * (denoised.data[from] - noisy.data[from])
        + LUMA[1] * (denoised.data[from + 1] - noisy.data[from + 1])
        + LUMA[2] * (denoised.data[from + 2] - noisy.data[from + 2]);
      const same = (ofLuma - ofChroma) * change + (back ? detail * ofLuma * back[at] : 0);
      for (let channel = from; channel < from + 3; channel++) {
        const before = noisy.data[channel];
        mixed.data[channel] = before + ofChroma * (denoised.data[channel] - before) + same;
      }
      mixed.data[from + 3] = noisy.data[from + 3];
    }
  }
}

/** The luma of noisy less denoised, with a margin around the rows that reaches beyond the image. */
function readLuma(noisy, denoised, top, rows) {
  const [width, height] = [noisy.width + 2 * MARGIN, rows + 2 * MARGIN];
  const columns = Array.from({ length: width }, (_, at) => 4 * reflect(at - MARGIN, noisy.width));
  const data = new Float32Array(width * height);
  let to = 0;
  for (let row = top - MARGIN; row < top + rows + MARGIN; row++) {
    const start = 4 * noisy.width * reflect(row, noisy.height);
    for (const column of columns) {
      const from = start + column;
      data[to++] = LUMA[0] * (noisy.data[from] - denoised.data[from])
        + LUMA[1] * (noisy.data[from + 1] - denoised.data[from + 1])
        + LUMA[2] * (noisy.data[from + 2] - denoised.data[from + 2]);
    }
  }
  return { width, height, data };
}

/** What was removed that is stronger than noise explains; smaller by the margin. */
function findDetail(removed) {
  const [width, height] = [removed.width - 2 * MARGIN, removed.height - 2 * MARGIN];
  const data = new Float32Array(width * height);
  let smooth = removed;
  for (const step of STEPS) {
    const finer = smooth;
    smooth = filter(finer, 4 * step, (line, result) => convolve(line, result, step));
    const band = subtract(finer, smooth);
    const energy = { ...band, data: band.data.map((value) => value * value) };
    const [noise, near] = [WIDE, NEAR].map((size) =>
      filter(energy, size - 1, (line, result) => average(line, result, size)),
    );
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++) {
        const around = Math.max(pixel(near, row, column, height, width), 1e-12);
        const gain = 1 - (DOUBT * pixel(noise, row, column, height, width)) / around;
        if (gain > 0) data[row * width + column] += gain * pixel(band, row, column, height, width);
      }
    }
  }
  return { width, height, data };
}

/** The pixel of an image at a place in its middle part of a size. */
function pixel(image, row, column, height, width) {
  const top = (image.height - height) / 2;
  const left = (image.width - width) / 2;
  return image.data[(row + top) * image.width + column + left];
}

/** The middle of a larger image less a smaller one. */
function subtract(larger, { width, height, data }) {
  const difference = new Float32Array(width * height);
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      difference[at] = pixel(larger, row, column, height, width) - data[at];
    }
  }
  return { width, height, data: difference };
}

/** Filters rows and columns; the result is smaller by `less` in both. */
function filter({ width, height, data }, less, filterLine) {
  const [right, bottom] = [width - less, height - less];
  const across = new Float32Array(right * height);
  for (let row = 0; row < height; row++) {
    const line = data.subarray(row * width, (row + 1) * width);
    filterLine(line, across.subarray(row * right, (row + 1) * right));
  }
  const result = new Float32Array(right * bottom);
  const [line, filtered] = [new Float32Array(height), new Float32Array(bottom)];
  for (let column = 0; column < right; column++) {
    for (let row = 0; row < height; row++) line[row] = across[row * right + column];
    filterLine(line, filtered);
    for (let row = 0; row < bottom; row++) result[row * right + column] = filtered[row];
  }
  return { width: right, height: bottom, data: result };
}

function convolve(line, result, step) {
  for (let at = 0; at < result.length; at++) {
    let sum = 0;
    for (let tap = 0; tap < 5; tap++) sum += SPLINE[tap] * line[at + tap * step];
    result[at] = sum;
  }
}

function average(line, result, size) {
  let sum = 0;
  for (let at = 0; at < size - 1; at++) sum += line[at];
  for (let at = 0; at < result.length; at++) {
    sum += line[at + size - 1];
    result[at] = sum / size;
    sum -= line[at];
  }
}
