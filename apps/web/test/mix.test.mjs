import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { isPlain, mixInto, PLAIN } from "../src/mix.js";

const path = new URL("../../vectors/mix.json", import.meta.url);
const vectors = JSON.parse(await readFile(path, "utf8"));

/** An ImageData, which Node.js lacks. */
function image(width, height, rgb) {
  const data = new Uint8ClampedArray(4 * width * height);
  rgb.forEach((value, at) => (data[4 * Math.floor(at / 3) + (at % 3)] = value));
  for (let at = 3; at < data.length; at += 4) data[at] = at % 256;
  return { width, height, data };
}

const rgbOf = ({ data }) => Array.from(data).filter((_, at) => at % 4 < 3);

for (const { width, height, noisy, denoised, mixtures } of vectors.images) {
  const [before, after] = [noisy, denoised].map((rgb) => image(width, height, rgb));
  for (const { mixed: expected, ...mixture } of mixtures) {
    test(`${width}x${height} pixels are mixed at ${JSON.stringify(mixture)}`, () => {
      const mixed = image(width, height, []);
      mixed.data.fill(7);
      mixInto(before, after, mixed, mixture);
      assert.deepEqual(rgbOf(mixed), expected);
      assert.deepEqual(mixed.data[3], before.data[3]);
    });
  }
}

test("a large image is done in parts that do not show", () => {
  const [width, height] = [40, 600];
  const noisy = image(width, height, Array.from({ length: 3 * width * height }, (_, at) => (at * 7919) % 251));
  const denoised = image(width, height, Array(3 * width * height).fill(120));
  const whole = image(width, height, []);
  mixInto(noisy, denoised, whole, { strength: 1, luma: 1, chroma: 1, detail: 1 });
  // Rows away from the ends, of an image that begins elsewhere.
  const from = 100;
  const part = (rgba) => ({ width, height: height - from, data: rgba.data.slice(4 * width * from) });
  const moved = part(image(width, height, []));
  mixInto(part(noisy), part(denoised), moved, { strength: 1, luma: 1, chroma: 1, detail: 1 });
  const rows = [4 * width * (256 - 30), 4 * width * (256 + 30)];
  assert.notDeepEqual(whole.data.slice(...rows), denoised.data.slice(...rows));
  assert.deepEqual(
    moved.data.slice(...rows.map((at) => at - 4 * width * from)),
    whole.data.slice(...rows),
  );
});

test("a plain mixture is the denoised pixels", () => {
  assert.ok(isPlain(PLAIN));
  for (const name of Object.keys(PLAIN)) assert.ok(!isPlain({ ...PLAIN, [name]: 0.5 }));
});
