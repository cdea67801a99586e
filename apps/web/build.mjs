// Builds the page into kerasdenoise/web/static, where `kerasdenoise app` takes it from, or into a folder.
//
//   node build.mjs [FOLDER]

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = fileURLToPath(new URL("./", import.meta.url));
const target = process.argv[2] ? resolve(process.argv[2]) : join(here, "../../kerasdenoise/web/static");
const runtime = join(here, "node_modules/@litertjs/core");

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: ["src/main.js", "src/worker.js"],
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife", // the runtime loads its own script by importScripts, which modules lack
  target: ["chrome125", "firefox128", "safari17.5"],
  legalComments: "none", // licenses.txt has them all
  metafile: true,
});
for (const name of ["index.html", "style.css", "icon.svg"]) {
  await copyFile(join(here, "src", name), join(target, name));
}
// With threads where the browser has what they need, and without.
for (const variant of ["threaded", "compat"]) {
  for (const suffix of ["js", "wasm"]) {
    const name = `litert_wasm_${variant}_internal.${suffix}`;
    const content = await readFile(join(runtime, "wasm", name));
    await writeFile(join(target, `${name}.gz`), gzipSync(content, { level: 9 }));
  }
}

const { version } = JSON.parse(await readFile(join(runtime, "package.json")));
const license = await readFile(join(here, "../../LICENSE"), "utf8");
const notice = (await readFile(join(here, "licenses.txt"), "utf8")).replace("VERSION", version);
for (const name of bundledPackages(Object.keys(metafile.inputs))) {
  if (!notice.includes(name)) throw new Error(`licenses.txt says nothing of ${name}`);
}
await writeFile(join(target, "licenses.txt"), `${notice}\n${license}`);

function bundledPackages(paths) {
  const names = paths.map((path) => path.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)/)?.[1]);
  return new Set(names.filter(Boolean));
}
