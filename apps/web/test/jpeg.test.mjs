import assert from "node:assert/strict";
import { test } from "node:test";

import { insertSegment, isDisplayP3, takeExif } from "../src/jpeg.js";

const START = [0xff, 0xd8];
const SCAN = [0xff, 0xda, 0, 2];
const letters = (text) => [...text].map((letter) => letter.charCodeAt(0));

function segment(marker, content) {
  const length = content.length + 2;
  return [0xff, marker, length >> 8, length & 255, ...content];
}

/** A directory of two entries, orientation the second, and the address of a next directory. */
function exif(orientation, little) {
  const numbers = (value, bytes) => {
    const all = Array.from({ length: bytes }, (_, at) => (value >> (8 * at)) & 255);
    return little ? all : all.reverse();
  };
  const entry = (tag, value) => [
    ...numbers(tag, 2),
    ...numbers(3, 2),
    ...numbers(1, 4),
    ...numbers(value, 2),
    0,
    0,
  ];
  return [
    ...letters("Exif\0\0"),
    ...letters(little ? "II" : "MM"),
    ...numbers(42, 2),
    ...numbers(8, 4),
    ...numbers(2, 2),
    ...entry(0x0100, 640),
    ...entry(0x0112, orientation),
    ...numbers(orientation === 1 ? 0 : 200, 4),
  ];
}

for (const little of [true, false]) {
  test(`EXIF becomes upright and loses its thumbnail, little-endian ${little}`, () => {
    const other = segment(0xe0, letters("JFIF\0"));
    const given = [...START, ...other, ...segment(0xe1, exif(6, little)), ...SCAN];
    const expected = segment(0xe1, exif(1, little));
    assert.deepEqual([...takeExif(Uint8Array.from(given))], expected);
  });
}

test("no EXIF is taken where there is none, or none that can be read", () => {
  const damaged = exif(6, true);
  damaged[6 + 4 + 2] = 255; // the directory's address
  for (const bytes of [
    [],
    letters("no picture"),
    [...START, ...SCAN],
    [...START, ...SCAN, ...segment(0xe1, exif(6, true))],
    [...START, ...segment(0xe1, letters("http://ns.adobe.com/xap/1.0/\0")), ...SCAN],
    [...START, ...segment(0xe1, damaged), ...SCAN],
    [...START, 0xff, 0xe1, 0xff, 0xff, ...exif(6, true)], // cut off
  ]) {
    assert.equal(takeExif(Uint8Array.from(bytes)), null);
  }
});

test("a segment stands first in the new file", () => {
  const [exifSegment, file] = [segment(0xe1, exif(1, true)), [...START, ...SCAN]];
  const parts = insertSegment(Uint8Array.from(file), Uint8Array.from(exifSegment));
  assert.deepEqual(parts.flatMap((part) => [...part]), [...START, ...exifSegment, ...SCAN]);
});

test("Display P3 is told by the name of the color profile, in 8 or 16 bits", () => {
  const profile = (name) => {
    const content = [...letters("ICC_PROFILE\0"), 1, 1, ...Array(128).fill(0), ...letters(name)];
    return Uint8Array.from([...START, ...segment(0xe2, content), ...SCAN]);
  };
  assert.ok(isDisplayP3(profile("Display P3")));
  assert.ok(isDisplayP3(profile("\0D\0i\0s\0p\0l\0a\0y\0 \0P\x003")));
  assert.ok(!isDisplayP3(profile("sRGB IEC61966-2.1")));
  assert.ok(!isDisplayP3(Uint8Array.from([...START, ...SCAN])));
});
