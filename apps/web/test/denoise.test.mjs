import assert from "node:assert/strict";
import { test } from "node:test";

import { denoisePixels } from "../src/denoise.js";

const MODEL = { tile: 128, halo: 40, keepsTone: true };

/** An image of one color, with `hidden` pixels first, which a browser gives as black. */
function makeImage(width, height, color, hidden = 0) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let at = 4 * hidden; at < data.length; at += 4) data.set([...color, 255], at);
  return { width, height, data };
}

async function denoise(noisy, run, model) {
  const denoised = { ...noisy, data: new Uint8ClampedArray(noisy.data.length) };
  await denoisePixels(noisy, denoised, run, model, async () => {});
  return denoised.data;
}

test("a tint is taken back, of a model that keeps the tone alone", async () => {
  const noisy = makeImage(100, 70, [40, 120, 200]);
  const tint = async (tile) => Float32Array.from(tile, (value, at) => value + [20, -9, 5][at % 3]);
  assert.deepEqual(await denoise(noisy, tint, MODEL), noisy.data);
  const tinted = await denoise(noisy, tint, { ...MODEL, keepsTone: false });
  assert.deepEqual(tinted, makeImage(100, 70, [60, 111, 205]).data);
});

test("a network sees nothing of hidden pixels", async () => {
  const color = [40, 120, 200];
  const seen = new Set();
  const look = async (tile) => {
    for (let at = 0; at < tile.length; at += 3) seen.add(tile.slice(at, at + 3).join());
    return Float32Array.from(tile);
  };
  await denoise(makeImage(30, 20, color, 100), look, MODEL);
  assert.deepEqual([...seen], [color.join()]);
});
