import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { keepTone } from "../src/tone.js";

const path = new URL("../../vectors/tone.json", import.meta.url);
const { tone } = JSON.parse(await readFile(path, "utf8"));

for (const { edge, inside, noisy, denoised, expected } of tone) {
  test(`the tone is kept where ${JSON.stringify(inside)} of ${edge} pixels is the image`, () => {
    const found = Float32Array.from(denoised);
    keepTone(Uint8Array.from(noisy), found, edge, inside);
    assert.equal(found.length, expected.length);
    found.forEach((value, at) => assert.ok(Math.abs(value - expected[at]) < 0.01, `at ${at}`));
  });
}
