import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { fillHidden } from "../src/hidden.js";

const path = new URL("../../vectors/hidden.json", import.meta.url);
const { hidden } = JSON.parse(await readFile(path, "utf8"));

for (const { height, width, pixels, expected } of hidden) {
  test(`hidden pixels of ${height}x${width} are filled`, () => {
    const data = Uint8ClampedArray.from(pixels);
    const found = fillHidden({ data, width, height });
    assert.deepEqual([...found].filter((_, at) => at % 4 < 3), expected);
    assert.deepEqual([...data], pixels, "the image itself must stay");
  });
}

test("an image that shows everything, or nothing, is left as it is", () => {
  const shown = Uint8ClampedArray.from([1, 2, 3, 255, 4, 5, 6, 1]);
  assert.equal(fillHidden({ data: shown, width: 2, height: 1 }), shown);
  const nothing = new Uint8ClampedArray(4 * 15);
  assert.deepEqual(fillHidden({ data: nothing, width: 5, height: 3 }), nothing);
});
