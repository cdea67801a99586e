// What a JPEG file says besides its pixels, taken from one file and put into another. A browser
// that encodes an image writes none of it.

const APP1 = 0xe1;
const APP2 = 0xe2;
const SCAN = 0xda;
const ORIENTATION = 0x0112;
const UPRIGHT = 1;

/** The segments before the pixels of a JPEG file, each with its marker; none of another file. */
function* segments(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 || view.getUint16(0) !== 0xffd8) return;
  for (let at = 2; at + 4 <= bytes.length && bytes[at] === 0xff && bytes[at + 1] !== SCAN; ) {
    const end = at + 2 + view.getUint16(at + 2);
    if (end > bytes.length) return;
    yield { marker: bytes[at + 1], segment: bytes.subarray(at, end) };
    at = end;
  }
}

const text = (bytes) => String.fromCharCode(...bytes);

/**
 * Whether the color profile of a JPEG file is Display P3, as that of most phones is.
 *
 * @param {Uint8Array} bytes The file, or at least what comes before the pixels.
 */
export function isDisplayP3(bytes) {
  for (const { marker, segment } of segments(bytes)) {
    if (marker !== APP2 || text(segment.subarray(4, 15)) !== "ICC_PROFILE") continue;
    // The name is in 16-bit letters or in 8-bit ones, by the version of the profile.
    if (text(segment.subarray(18, 2048).filter((byte) => byte)).includes("Display P3")) return true;
  }
  return false;
}

/**
 * Finds the EXIF of a JPEG file and fits it to pixels that were turned upright.
 *
 * Its orientation becomes upright and its thumbnail, which shows the noise, is cut off.
 *
 * @param {Uint8Array} bytes The file, or at least what comes before the pixels.
 * @returns {Uint8Array | null} A segment for `insertSegment`, or null if there is none to read.
 */
export function takeExif(bytes) {
  for (const { marker, segment } of segments(bytes)) {
    if (marker === APP1 && text(segment.subarray(4, 10)) === "Exif\0\0") {
      const exif = segment.slice();
      return setUpright(new DataView(exif.buffer, 10)) ? exif : null;
    }
  }
  return null;
}

/** Edits the TIFF structure that EXIF is; false if it is not one. */
function setUpright(tiff) {
  try {
    const little = tiff.getUint16(0) === 0x4949;
    const directory = tiff.getUint32(4, little);
    const entries = tiff.getUint16(directory, little);
    const next = directory + 2 + 12 * entries;
    for (let entry = directory + 2; entry < next; entry += 12) {
      if (tiff.getUint16(entry, little) === ORIENTATION) tiff.setUint16(entry + 8, UPRIGHT, little);
    }
    tiff.setUint32(next, 0, little); // the next directory is the thumbnail's
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/**
 * Puts a segment into a JPEG file.
 *
 * @param {Uint8Array} bytes The file.
 * @param {Uint8Array} segment What `takeExif` gave.
 * @returns {Uint8Array[]} The parts of the new file.
 */
export function insertSegment(bytes, segment) {
  return [bytes.subarray(0, 2), segment, bytes.subarray(2)];
}
