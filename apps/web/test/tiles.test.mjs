import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { layTiles, reflect } from "../src/tiles.js";

const path = new URL("../../vectors/tiles.json", import.meta.url);
const vectors = JSON.parse(await readFile(path, "utf8"));

for (const { start, stop, size, indices } of vectors.reflect) {
  test(`positions ${start} to ${stop} are reflected into ${size}`, () => {
    const positions = Array.from({ length: stop - start }, (_, at) => start + at);
    assert.deepEqual(positions.map((position) => reflect(position, size)), indices);
  });
}

for (const { height, width, interior, halo, tiles } of vectors.grids) {
  test(`an image of ${height}x${width} has ${tiles.length} tiles`, () => {
    assert.deepEqual(layTiles(height, width, interior, halo), tiles);
  });
}
