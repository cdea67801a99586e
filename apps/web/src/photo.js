// From a photo's file to pixels and back.

import { insertSegment, isDisplayP3, takeExif } from "./jpeg.js";

// What a JPEG file says besides its pixels comes first, and is rarely this long.
const HEAD = 1 << 20;
const JPEG_QUALITY = 0.95;

/**
 * Reads a photo, upright.
 *
 * Its colors become sRGB, or stay Display P3, which is wider.
 *
 * @param {Blob} file The photo.
 * @returns {Promise<ImageData>}
 */
export async function readPhoto(file) {
  const colorSpace = isDisplayP3(await readHead(file)) ? "display-p3" : "srgb";
  const bitmap = await createImageBitmap(file);
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", {
    colorSpace,
    willReadFrequently: true,
  });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height, { colorSpace });
}

/**
 * Writes a photo.
 *
 * @param {ImageData} pixels The photo.
 * @param {"image/jpeg" | "image/png"} type The kind of file.
 * @param {Blob} source Where it comes from: a JPEG file takes its EXIF from there.
 * @returns {Promise<Blob>}
 */
export async function writePhoto(pixels, type, source) {
  const { width, height, colorSpace } = pixels;
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d", { colorSpace }).putImageData(pixels, 0, 0);
  const blob = await canvas.convertToBlob({ type, quality: JPEG_QUALITY });
  const exif = type === "image/jpeg" ? takeExif(await readHead(source)) : null;
  if (!exif) return blob;
  return new Blob(insertSegment(new Uint8Array(await blob.arrayBuffer()), exif), { type });
}

async function readHead(file) {
  return new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
}
