// All that takes time, off the page's thread: photos are denoised here one after another, while
// what is asked about any of them is answered in between.

import { denoisePixels } from "./denoise.js";
import { isPlain, mixInto, PLAIN } from "./mix.js";
import { Network } from "./network.js";
import { readPhoto, writePhoto } from "./photo.js";

const THUMBNAIL = 144;

// By id: the file, what was last ordered, and the result as far as it got, with a number that
// changes when it does.
const photos = new Map();
// The pixels of the photo that was last read. Those of all would not fit.
let recent = { id: null, pixels: null };
// How results are mixed before they are shown and saved; the page itself shows the strength.
let mixture = PLAIN;
// What was last asked to be shown, since only that is of interest.
let shows = 0;
const denoising = makeQueue();
const saving = makeQueue();

const network = Network.load();
network.then(
  ({ name, kinds }) => postMessage({ type: "ready", name, kinds }),
  (error) => postMessage({ type: "broken", reason: error.message }),
);

const answers = { add, denoise, mix, show, save, clear };

self.onmessage = async ({ data: { type, ...request } }) => {
  try {
    await answers[type](request);
  } catch (error) {
    if (photos.has(request.id)) {
      postMessage({ type: "failed", id: request.id, reason: error.message });
    }
  }
};

function add({ id, file, kind }) {
  photos.set(id, { file, order: null, denoised: null, version: 0, isDone: false });
  return denoise({ id, kind });
}

/** Denoises a photo when those before it are done, unless another order comes first. */
function denoise({ id, kind }) {
  const photo = photos.get(id);
  const order = { kind };
  photo.order = order;
  const isWanted = () => photos.get(id) === photo && photo.order === order;
  return denoising(() => isWanted() && work(id, kind, isWanted));
}

async function work(id, kind, isWanted) {
  const photo = photos.get(id);
  const noisy = await read(id);
  await postThumbnail(id, noisy);
  const { width, height, colorSpace } = noisy;
  const denoised = new ImageData(width, height, { colorSpace });
  Object.assign(photo, { denoised, version: photo.version + 1, isDone: false });
  postMessage({ type: "started", id });
  const start = performance.now();
  const engine = await network;
  const run = (tile) => engine.denoise(kind, tile);
  try {
    await denoisePixels(noisy, denoised, run, engine, async (place, share) => {
      const [[top, bottom], [left, right]] = place;
      const part = await createImageBitmap(denoised, left, top, right - left, bottom - top);
      await new Promise((resolve) => setTimeout(resolve)); // lets messages in
      if (!isWanted()) throw new Superseded();
      photo.version += 1;
      postMessage({ type: "tile", id, part, x: left, y: top, share }, [part]);
    });
  } catch (error) {
    if (error instanceof Superseded) return;
    throw error;
  }
  photo.isDone = true;
  postMessage({ type: "done", id, seconds: (performance.now() - start) / 1000 });
}

/** Mixes all results in another way from now on, and shows a photo so. */
function mix({ id, luma, chroma, detail }) {
  mixture = { luma, chroma, detail };
  return show({ id });
}

/** Sends what there is to see of a photo. */
async function show({ id }) {
  const order = ++shows;
  const noisy = await read(id);
  const before = await createImageBitmap(noisy);
  const photo = photos.get(id);
  let after = null;
  // What was sent of the result since then must not be covered by something older.
  for (let version = null; photo.denoised && version !== photo.version; ) {
    version = photo.version;
    const mixed = photo.isDone ? mixPixels(noisy, photo.denoised, mixture) : photo.denoised;
    after = await createImageBitmap(mixed);
  }
  if (order !== shows) return;
  postMessage({ type: "shown", id, before, after }, after ? [before, after] : [before]);
}

/** Sends a photo as a file. One after another: each takes the memory of a whole photo. */
function save({ id, strength, mime }) {
  return saving(async () => {
    const { file, denoised, isDone } = photos.get(id);
    if (!isDone) throw new Error("it is not denoised yet");
    const mixed = mixPixels(await read(id), denoised, { ...mixture, strength });
    const blob = await writePhoto(mixed, mime, file);
    postMessage({ type: "saved", id, blob });
  });
}

function clear() {
  photos.clear();
  recent = { id: null, pixels: null };
}

function mixPixels(noisy, denoised, { strength = 1, ...rest }) {
  if (strength === 1 && isPlain(rest)) return denoised;
  const { width, height, colorSpace } = noisy;
  const mixed = new ImageData(width, height, { colorSpace });
  mixInto(noisy, denoised, mixed, { strength, ...rest });
  return mixed;
}

class Superseded extends Error {}

/** Makes a function that starts what it is given when all that it was given before has ended. */
function makeQueue() {
  let last = Promise.resolve();
  return (start) => {
    const turn = last.then(start);
    last = turn.catch(() => {}); // one that fails does not stop the others
    return turn;
  };
}

function read(id) {
  if (recent.id !== id) {
    const pixels = readPhoto(photos.get(id).file).catch(() => {
      throw new Error("this browser cannot read it; save it as JPEG or PNG first");
    });
    recent = { id, pixels };
  }
  return recent.pixels;
}

async function postThumbnail(id, pixels) {
  const thumbnail = await createImageBitmap(pixels, {
    resizeHeight: THUMBNAIL,
    resizeQuality: "medium",
  });
  postMessage({ type: "thumbnail", id, thumbnail }, [thumbnail]);
}
