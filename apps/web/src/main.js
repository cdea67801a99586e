// The page: what is dropped goes to the worker, and what the worker says is shown.

import { makeDivider } from "./divider.js";

const $ = (id) => document.getElementById(id);
// What is mixed by the worker; the strength is mixed by the page itself, as it is moved.
const AMOUNTS = ["luma", "chroma", "detail"];
const EXTENSIONS = { "image/jpeg": "jpg", "image/png": "png" };

// By id: the file, the state ("waiting", "working", "done", "failed"), the share that is done, a
// line of text, and the button that selects it.
const photos = new Map();
let nextId = 1;
let current = null;
let kind = "precise";

const worker = new Worker("worker.js");
const ask = (type, request) => worker.postMessage({ type, ...request });

// What the worker says.
const hear = {
  ready({ name, kinds }) {
    $("model").textContent = name;
    $("quality").hidden = !kinds.includes("fast");
    document.body.dataset.state = "ready";
  },
  broken({ reason }) {
    document.body.dataset.state = "broken";
    $("start-status").textContent = `The page cannot work here: ${reason}.`;
  },
  thumbnail({ id, thumbnail }) {
    const canvas = photos.get(id).button.querySelector("canvas");
    canvas.width = thumbnail.width;
    canvas.height = thumbnail.height;
    canvas.getContext("bitmaprenderer").transferFromImageBitmap(thumbnail);
  },
  started({ id }) {
    update(id, { state: "working", share: 0, text: "Denoising" });
    if (id === current) clearCanvas($("after"));
  },
  tile({ id, part, x, y, share }) {
    if (id === current) $("after").getContext("2d").drawImage(part, x, y);
    part.close();
    update(id, { share, text: `Denoising, ${Math.round(100 * share)} %` });
  },
  done({ id, seconds }) {
    update(id, { state: "done", share: 1, text: `Denoised in ${seconds.toFixed(1)} s` });
    if (id === current && AMOUNTS.some((name) => $(name).value !== $(name).defaultValue)) {
      ask("show", { id }); // what was shown of it is not mixed
    }
  },
  shown({ id, before, after }) {
    if (id !== current) return;
    const { width, height } = before;
    const photo = $("photo");
    photo.style.setProperty("--width", width);
    photo.style.setProperty("--ratio", width / height);
    photo.style.setProperty("--pixel", 1 / devicePixelRatio);
    for (const canvas of [$("before"), $("after")]) Object.assign(canvas, { width, height });
    $("before").getContext("bitmaprenderer").transferFromImageBitmap(before);
    if (after) $("after").getContext("2d").drawImage(after, 0, 0);
    photo.hidden = false;
  },
  saved({ id, blob }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    const stem = photos.get(id).file.name.replace(/\.[^.]*$/, "");
    link.download = `${stem}_denoised.${EXTENSIONS[blob.type]}`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  },
  failed({ id, reason }) {
    update(id, { state: "failed", text: "Failed", reason: `${photos.get(id).file.name}: ${reason}.` });
  },
};

worker.onmessage = ({ data: { type, ...message } }) => {
  // Of a photo that was cleared, there may still be something on its way.
  if (message.id === undefined || photos.has(message.id)) hear[type](message);
};
worker.onerror = (event) => hear.broken({ reason: event.message || "its program was not found" });

// What people do.
$("files").addEventListener("change", ({ target }) => {
  addPhotos(target.files);
  target.value = "";
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  addPhotos(event.dataTransfer.files);
});
for (const name of ["strength", ...AMOUNTS]) {
  $(name).addEventListener("input", ({ target }) => {
    $(`${name}-value`).textContent = `${target.value} %`;
  });
}
for (const name of AMOUNTS) {
  $(name).addEventListener("change", () => {
    const amounts = AMOUNTS.map((each) => [each, $(each).value / 100]);
    ask("mix", { id: current, ...Object.fromEntries(amounts) });
  });
}
$("strength").addEventListener("input", ({ target }) => {
  $("photo").style.setProperty("--strength", target.value / 100);
});
$("quality").addEventListener("change", ({ target }) => {
  kind = target.value;
  for (const [id, { state }] of photos) {
    if (state !== "failed") denoiseAgain(id);
  }
});
$("zoom").addEventListener("click", () => {
  const isActual = $("photo").dataset.zoom !== "actual";
  $("photo").dataset.zoom = isActual ? "actual" : "fit";
  $("zoom").setAttribute("aria-pressed", isActual);
  const frame = $("frame"); // its middle stays in sight, with the line's handle
  frame.scrollTo(
    (frame.scrollWidth - frame.clientWidth) / 2,
    (frame.scrollHeight - frame.clientHeight) / 2,
  );
});
$("save").addEventListener("click", () => save(current));
$("save-all").addEventListener("click", () => {
  for (const [id, { state }] of photos) if (state === "done") save(id);
});
$("clear").addEventListener("click", () => {
  ask("clear");
  for (const { button } of photos.values()) button.remove();
  photos.clear();
  current = null;
  refresh();
});
makeDivider($("photo"), $("divider"));

function addPhotos(files) {
  const added = [...files].map((file) => {
    const id = nextId++;
    photos.set(id, { file, state: "waiting", share: 0, text: "Waiting", button: addButton(id, file) });
    ask("add", { id, file, kind });
    return id;
  });
  if (!added.length) return;
  if (added.length === photos.size) {
    const isPng = photos.get(added[0]).file.type === "image/png";
    $("format").value = isPng ? "image/png" : "image/jpeg";
  }
  select(added[0]);
}

function addButton(id, { name }) {
  const button = $("thumbnail").content.firstElementChild.cloneNode(true);
  button.title = name;
  button.setAttribute("aria-label", name);
  button.addEventListener("click", () => select(id));
  $("strip").append(button);
  return button;
}

function select(id) {
  current = id;
  $("photo").hidden = true;
  clearCanvas($("after"));
  if (photos.get(id).state !== "failed") ask("show", { id });
  refresh();
}

function denoiseAgain(id) {
  ask("denoise", { id, kind });
  update(id, { state: "waiting", share: 0, text: "Waiting" });
}

function save(id) {
  ask("save", { id, strength: $("strength").value / 100, mime: $("format").value });
}

function update(id, changes) {
  Object.assign(photos.get(id), changes);
  refresh();
}

/** Brings all that is said of the photos up to date. */
function refresh() {
  const states = [...photos.values()].map(({ state }) => state);
  const { file, state, share, text, reason } = photos.get(current) ?? {};
  $("start").hidden = photos.size > 0;
  $("work").hidden = photos.size === 0;
  $("strip").hidden = photos.size < 2;
  $("save-all").hidden = photos.size < 2;
  $("save").disabled = state !== "done";
  $("save-all").disabled = !states.includes("done") || states.some((s) => /waiting|working/.test(s));
  $("name").textContent = file?.name ?? "";
  $("status").textContent = text ?? "";
  $("failure").textContent = reason ?? "";
  $("failure").hidden = state !== "failed";
  $("progress").value = share ?? 0;
  $("progress").hidden = !/waiting|working/.test(state);
  for (const [id, { button, ...photo }] of photos) {
    button.setAttribute("aria-current", id === current);
    button.dataset.state = photo.state;
    button.style.setProperty("--share", photo.share);
  }
}

function clearCanvas(canvas) {
  canvas.width = canvas.width; // eslint-disable-line no-self-assign -- empties it
}
