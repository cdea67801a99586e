// Uses the page as a person would, in a headless browser, and prints what it saw as JSON.
//
//   node page.mjs CHROMIUM ADDRESS FOLDER PHOTO JPEG KIND
//
// It prints "loaded" when the page is ready, and waits for a line before it goes on: whoever started
// it stops the server then. What is saved goes to FOLDER.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { chromium } from "playwright-core";

const [executablePath, address, folder, photo, jpeg, kind] = process.argv.slice(2);
const TIMEOUT = 120_000;
const NOTICEABLE = 100; // milliseconds
const SWITCHES = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const browser = await chromium.launch({ executablePath, args: SWITCHES });
const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
page.setDefaultTimeout(TIMEOUT);
const seen = { requests: [], errors: [] };
page.on("request", (request) => seen.requests.push(request.url()));
page.on("pageerror", (error) => seen.errors.push(error.message));

await page.goto(address);
await page.waitForSelector("body:not([data-state=loading])");
seen.state = await page.getAttribute("body", "data-state");
seen.isolated = await page.evaluate(() => crossOriginIsolated);
console.log("loaded");
await once(process.stdin, "data");
process.stdin.destroy();

const before = seen.requests.length;
await page.evaluate(watch);
await browser.startTracing(page, { categories: ["disabled-by-default-devtools.timeline"] });
await useOnce();
// Other programs may keep the page waiting for a processor, but hardly each time.
for (let tries = 1; tries < 4 && (await longestTask()) >= NOTICEABLE; tries++) {
  await page.click("#zoom");
  await page.click("#clear");
  await useOnce();
}
seen.longest = await longestTask();
// Before a picture is taken of the page, which takes its own time.
seen.busiest = busiestTask(JSON.parse(await browser.stopTracing()).traceEvents);
seen.shares = await page.evaluate(() => globalThis.watched.shares);
seen.noticed = await page.evaluate(standStill);

await look("quarter.png");
await page.press("#divider", "End");
await page.press("#divider", "ArrowLeft");
seen.split = await page.getAttribute("#divider", "aria-valuenow");
await page.press("#divider", "Home");
await page.fill("#strength", "50");
await look("half.png");
await save("half_saved.png");
await page.fill("#strength", "100");
await save("whole_saved.png");
await page.click("#more summary");
await amount("luma", 30);
await amount("detail", 100);
await page.fill("#strength", "80");
await save("mixed_saved.png");
await look("mixed.png");
await page.fill("#strength", "100");
await amount("luma", 100);
await amount("detail", 0);
await save("again_saved.png");

await drop(jpeg);
await finished();
await page.selectOption("#format", "image/jpeg");
await save("turned_saved.jpg");
await drop(new URL(import.meta.url).pathname);
seen.failure = await page.textContent("#failure:not([hidden])");
await page.click("#zoom");
seen.overflow = {};
for (const width of [1280, 390]) {
  await page.setViewportSize({ width, height: 844 });
  await page.click(`.thumbnail >> nth=0`);
  await page.waitForSelector("#photo:not([hidden])");
  await move(0.5);
  await page.screenshot({ path: join(folder, `page_${width}.png`) });
  seen.overflow[width] = await page.evaluate(
    () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
  );
}
await page.click("#clear");
await page.screenshot({ path: join(folder, "start_390.png") });
seen.cleared = await page.isVisible("#start");
seen.later = seen.requests.slice(before);
seen.forbidden = await page.evaluate(askElsewhere);

console.log(JSON.stringify(seen));
await browser.close();

async function useOnce() {
  await page.evaluate(() => Object.values(globalThis.watched).forEach((list) => list.splice(0)));
  await page.setInputFiles("#files", photo);
  if (kind === "fast") await page.check("input[value=fast]");
  await finished();
  await page.click("#zoom");
  await move(0.25);
}

/** The longest that the page was seen to stand still, in milliseconds; 0 if below 50. */
function longestTask() {
  return page.evaluate(() => Math.max(0, ...globalThis.watched.longTasks));
}

function finished() {
  return page.waitForSelector("#save:not([disabled])");
}

/** In the page: takes down what the progress bar says, and tasks that a person would notice. */
function watch() {
  const watched = { shares: [], longTasks: [] };
  globalThis.watched = watched;
  const bar = document.getElementById("progress");
  new MutationObserver(() => watched.shares.push(bar.value)).observe(bar, { attributes: true });
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) watched.longTasks.push(duration);
  }).observe({ type: "longtask" });
}

/** In the page: keeps the thread for a while, and returns whether that was taken down. */
async function standStill() {
  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const { longTasks } = globalThis.watched;
  const before = longTasks.length;
  await wait(0);
  for (const end = performance.now() + 120; performance.now() < end; );
  for (let tries = 0; tries < 50 && longTasks.length === before; tries++) await wait(20);
  return longTasks.length > before;
}

/** In the page: asks another machine for something, and returns the rule that forbids it. */
function askElsewhere() {
  return new Promise((resolve) => {
    addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
    fetch("https://example.com/").then(
      () => resolve("none"),
      () => setTimeout(resolve, 5000, "none"),
    );
  });
}

/**
 * The longest that a page kept its thread, in milliseconds. Of the processor's time: others may
 * have kept the thread waiting.
 */
function busiestTask(events) {
  const isMain = ({ name, args }) => name === "thread_name" && args.name === "CrRendererMain";
  const threads = new Set(events.filter(isMain).map(({ pid, tid }) => `${pid} ${tid}`));
  const tasks = events.filter(
    ({ name, pid, tid }) => name === "RunTask" && threads.has(`${pid} ${tid}`),
  );
  if (!tasks.length) throw new Error("the trace holds no tasks");
  return Math.max(...tasks.map(({ tdur }) => tdur ?? 0)) / 1000;
}

async function look(name) {
  await page.locator("#photo").screenshot({ path: join(folder, name) });
}

/** Sets a slider that the worker mixes by, and waits until what it has mixed is seen. */
async function amount(name, percent) {
  const shown = page.evaluate(seesAnother);
  await page.fill(`#${name}`, String(percent));
  await shown;
}

/** In the page: waits for the next picture of the photo as it is after. */
function seesAnother() {
  return new Promise((resolve) => {
    new MutationObserver((_, observer) => {
      observer.disconnect();
      requestAnimationFrame(() => requestAnimationFrame(resolve));
    }).observe(document.getElementById("after"), { attributeFilter: ["width"] });
  });
}

async function move(share) {
  const { x, y, width, height } = await page.locator("#photo").boundingBox();
  await page.mouse.move(x + width / 2, y + height / 2);
  await page.mouse.down();
  await page.mouse.move(x + share * width, y + height / 2, { steps: 4 });
  await page.mouse.up();
}

async function save(name) {
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#save")]);
  await download.saveAs(join(folder, name));
  seen[name] = download.suggestedFilename();
}

async function drop(path) {
  const content = (await readFile(path)).toString("base64");
  const name = path.replace(/.*\//, "");
  const transfer = await page.evaluateHandle(
    ([text, fileName]) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const dropped = new DataTransfer();
      dropped.items.add(new File([bytes], fileName));
      return dropped;
    },
    [content, name],
  );
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
}
