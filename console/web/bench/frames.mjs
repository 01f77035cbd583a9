// Script time a frame, in headless Chromium: `npm run bench [-- 1000 10000]`. A fleet is moved about, zoomed, and left alone,
// while a fifth of it has news twice a second. Chromium's own trace says which script ran when; a frame's script time
// is all that ran on the main thread since the frame before, collection of garbage included, in processor time.

import { launch, openPage } from "../dev/browser.mjs";
import { startMock } from "../dev/mock.mjs";

/** Most script time that 95 of 100 frames of a phase may take, ms, by the number of devices. */
const LIMITS = new Map([[1000, 8], [10_000, 30]]);
const SECONDS = 4;
const SCRIPT = new Set(["FunctionCall", "FireAnimationFrame", "TimerFire", "RunMicrotasks", "EvaluateScript", "v8.callFunction", "MajorGC", "MinorGC", "V8.GC_MARK_COMPACTOR", "V8.GC_SCAVENGER"]);

const PHASES = {
  still: () => undefined,
  pan: (at) => window.__console.pan(9 * Math.sin(at / 700), 4 * Math.cos(at / 500)),
  zoom: (at) => window.__console.zoom(0.02 * Math.sin(at / 800)),
  "pan near": (at) => window.__console.pan(14 * Math.sin(at / 900), 6 * Math.cos(at / 600)),
};

const counts = process.argv.slice(2).map(Number);
const browser = await launch();
let isWithin = true;
for (const count of counts.length > 0 ? counts : [1000, 10_000]) {
  const mock = await startMock({ count });
  const { page, errors } = await openPage(browser, mock.url, { viewport: { width: 1440, height: 900 } });
  await page.waitForSelector('[role="gridcell"]');
  await page.waitForTimeout(2000);
  for (const [name, act] of Object.entries(PHASES)) {
    if (name === "pan near") await page.evaluate(() => window.__console.look({ ...window.__console.view(), x: 0.51, y: 0.335, zoom: 5.5 }));
    await page.waitForTimeout(500);
    const { mean, p95, most, frames } = await measure(page, act);
    const limit = LIMITS.get(count);
    const isGood = limit === undefined || p95 <= limit;
    isWithin &&= isGood;
    const figures = [mean, p95, most].map((value) => value.toFixed(1).padStart(6));
    console.log(`${String(count).padStart(6)} devices, ${name.padEnd(8)} mean ${figures[0]} ms, 95 % ${figures[1]} ms, most ${figures[2]} ms, ${frames} frames${isGood ? "" : `: more than ${limit} ms`}`);
  }
  for (const error of errors) console.error(error);
  await page.context().close();
  await mock.close();
}
await browser.close();
process.exit(isWithin ? 0 : 1);

async function measure(page, act) {
  await browser.startTracing(page, { categories: ["devtools.timeline", "v8", "disabled-by-default-v8.gc"] });
  await page.evaluate(
    ([source, seconds]) =>
      new Promise((resolve) => {
        const act = new Function(`return (${source})`)();
        const begin = performance.now();
        const step = (now) => {
          act(now - begin);
          if (now - begin < seconds * 1000) requestAnimationFrame(step);
          else resolve(undefined);
        };
        requestAnimationFrame(step);
      }),
    [String(act), SECONDS],
  );
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString());
  return evaluate(traceEvents);
}

/** Script time in each interval between two frames of the main thread, ms. */
function evaluate(events) {
  const thread = mainThread(events);
  const mine = events.filter(({ pid, tid }) => `${pid}/${tid}` === thread);
  const begins = mine.filter(({ name }) => name === "FireAnimationFrame").map(({ ts }) => ts).sort((a, b) => a - b);
  // Several callbacks of one frame begin within a fraction of it.
  const frames = begins.filter((ts, at) => at === 0 || ts - begins[at - 1] > 4000);
  const spans = mine.filter(({ name, ph, dur }) => ph === "X" && dur > 0 && SCRIPT.has(name)).sort((a, b) => a.ts - b.ts || b.dur - a.dur);
  const times = new Array(Math.max(frames.length - 1, 1)).fill(0);
  let reached = 0;
  for (const { ts, dur, tdur } of spans) {
    // What began within another is counted with it.
    if (ts < reached) continue;
    reached = ts + dur;
    const at = frames.findLastIndex((begin) => begin <= ts);
    // The thread's own time, so that a busy computer does not count.
    if (at >= 0 && at < times.length) times[at] += (tdur ?? dur) / 1000;
  }
  const sorted = [...times].sort((a, b) => a - b);
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  return { mean, p95: sorted[Math.floor(sorted.length * 0.95)], most: sorted.at(-1), frames: times.length };
}

function mainThread(events) {
  const counts = new Map();
  for (const { name, pid, tid } of events) {
    if (name === "FireAnimationFrame") counts.set(`${pid}/${tid}`, (counts.get(`${pid}/${tid}`) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1])[0]?.[0];
}
