// The network: LiteRT's WebAssembly runtime and the model's files, all fetched at once, so that the
// page goes on working when the server has gone.

import { loadAndCompile, loadLiteRt, supportsFeature, Tensor } from "@litertjs/core";

/** Runs a model on tiles of one size. */
export class Network {
  #contents;
  #compiled = new Map();

  /** @param manifest What /model.json says. */
  constructor(manifest, contents) {
    this.name = manifest.name;
    this.tile = manifest.tile;
    this.halo = manifest.halo;
    this.keepsTone = manifest.keeps_tone;
    this.#contents = contents;
  }

  /** Fetches all that is needed, and makes the precise model ready. */
  static async load() {
    const [manifest] = await Promise.all([fetchManifest(), loadRuntime()]);
    const contents = new Map();
    for (const [kind, name] of Object.entries(manifest.files)) {
      contents.set(kind, new Uint8Array(await (await fetchFile(name)).arrayBuffer()));
    }
    const network = new Network(manifest, contents);
    await network.#compile("precise");
    return network;
  }

  /** The kinds of models there are: `precise`, and perhaps `fast`. */
  get kinds() {
    return [...this.#contents.keys()];
  }

  /**
   * Runs a model.
   *
   * @param {string} kind One of `kinds`.
   * @param {Uint8Array} noisy A tile, three values of 0 to 255 for each pixel.
   * @returns {Promise<Float32Array>} The tile denoised, on the same scale, neither rounded nor
   *   clipped.
   */
  async denoise(kind, noisy) {
    const model = await this.#compile(kind);
    const isInteger = model.getInputDetails()[0].dtype === "uint8";
    const values = isInteger ? noisy : scale(noisy, 1 / 255);
    const input = new Tensor(values, [1, this.tile, this.tile, 3]);
    const [output] = await model.run([input]);
    const denoised = scale(output.toTypedArray(), isInteger ? 1 : 255);
    input.delete();
    output.delete();
    return denoised;
  }

  async #compile(kind) {
    if (!this.#compiled.has(kind)) {
      const model = await loadAndCompile(this.#contents.get(kind), { accelerator: "wasm" });
      this.#compiled.set(kind, model);
    }
    return this.#compiled.get(kind);
  }
}

function scale(values, factor) {
  const scaled = new Float32Array(values.length);
  for (let at = 0; at < values.length; at++) scaled[at] = factor * values[at];
  return scaled;
}

async function fetchManifest() {
  return (await fetchFile("model.json")).json();
}

async function fetchFile(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name} is missing (${response.status})`);
  return response;
}

/** Loads LiteRT: with as many threads as there are cores, where the browser allows them. */
async function loadRuntime() {
  const threaded = self.crossOriginIsolated && (await supportsFeature("relaxedSimd"));
  const script = `litert_wasm_${threaded ? "threaded" : "compat"}_internal.js`;
  // A worker has no script element that the runtime could take its own address from.
  self.Module = {
    locateFile: (name) => new URL(name, self.location.href).href,
    mainScriptUrlOrBlob: new URL(script, self.location.href).href,
  };
  await loadLiteRt(script);
}
