// Builds the page into kerasdenoise/app, where `kerasdenoise app` serves it from.

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = new URL("./", import.meta.url);
const target = new URL("../../kerasdenoise/app/", here);
const runtime = new URL("node_modules/@litertjs/core/", here);

await rm(target, { recursive: true, force: true });
await mkdir(target, { recursive: true });

await build({
  absWorkingDir: here.pathname,
  entryPoints: ["src/main.js", "src/worker.js"],
  outdir: target.pathname,
  bundle: true,
  minify: true,
  format: "iife", // the runtime loads its own script by importScripts, which modules lack
  target: ["chrome125", "firefox128", "safari17.5"],
  legalComments: "none", // licenses.txt has them all
});
for (const name of ["index.html", "style.css", "icon.svg"]) {
  await copyFile(new URL(`src/${name}`, here), new URL(name, target));
}
// With threads where the browser has what they need, and without.
for (const variant of ["threaded", "compat"]) {
  for (const suffix of ["js", "wasm"]) {
    const name = `litert_wasm_${variant}_internal.${suffix}`;
    const content = await readFile(new URL(`wasm/${name}`, runtime));
    await writeFile(new URL(`${name}.gz`, target), gzipSync(content, { level: 9 }));
  }
}
const { version } = JSON.parse(await readFile(new URL("package.json", runtime)));
const license = await readFile(new URL("../../LICENSE", here), "utf8");
const notice = (await readFile(new URL("licenses.txt", here), "utf8")).replace("VERSION", version);
await writeFile(new URL("licenses.txt", target), `${notice}\n${license}`);
