// How late the page is: from a reading's arrival at the hub to the frame that draws its position.

import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { launch } from "../dev/browser.mjs";
import { folderInMemory } from "../dev/memory.mjs";

/** How often the page's drawing is looked at, ms: what is found is that much too late at most. */
const LOOK_EVERY = 50;
/** Trackers that are followed. */
const FOLLOWED = 20;
/** Degrees: half of the last digit that a reading has. Receivers that stand still differ by more from reading to reading. */
const SAME = 5e-8;

/** A sentence about `devices` trackers that were watched for some seconds. */
export async function latency(binary, devices, seconds) {
  const folder = folderInMemory();
  const child = spawn(binary, ["simulate", "--json", "--devices", String(devices), "--interval", "1", "--seed", "1"], { stdio: ["ignore", "pipe", "ignore"], env: { ...process.env, TMPDIR: folder } });
  const arrivals = new Map();
  let link = null;
  let ready = null;
  const isReady = new Promise((resolve) => (ready = resolve));
  let total = 0;
  createInterface({ input: child.stdout }).on("line", (line) => {
    link ??= /http:\/\/[^"\s\\]+[?]token=[\w-]+/.exec(line)?.[0] ?? null;
    if (!line.includes('"telemetry"')) return;
    total += 1;
    if (total === 5 * devices) ready();
    const { device, body, time } = JSON.parse(line);
    if (!body?.location) return;
    // The hub's own time, unless that is simulated.
    const enqueued = Math.abs(Date.parse(time) - Date.now()) < 60_000 ? Date.parse(time) : Date.now();
    if (!arrivals.has(device)) arrivals.set(device, []);
    arrivals.get(device).push({ ...body.location, enqueued });
  });
  const browser = await launch("--disable-dev-shm-usage");
  try {
    await isReady;
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" })).newPage();
    await page.goto(link);
    await page.waitForFunction((count) => window.__console?.positions?.().length >= count / 2, devices, { timeout: 120_000 });
    const ids = [...arrivals.keys()].slice(0, FOLLOWED);
    const seen = await page.evaluate(look, { ids, seconds, every: LOOK_EVERY });
    const late = seen.flatMap(({ id, lon, lat, at }) => {
      const from = arrivals.get(id).findLast((one) => one.enqueued <= at && Math.abs(one.lon - lon) < SAME && Math.abs(one.lat - lat) < SAME);
      return from === undefined ? [] : [at - from.enqueued];
    }).sort((a, b) => a - b);
    if (late.length === 0) return "page latency: nothing moved";
    const part = (share) => Math.round(late[Math.min(late.length - 1, Math.floor(late.length * share))]);
    return `page latency of ${devices} trackers, from the hub's enqueued time to the frame that draws it: median ${part(0.5)} ms, 95 % ${part(0.95)} ms, most ${part(1)} ms, of ${late.length} readings (${seen.length - late.length} more could not be told apart)`;
  } finally {
    await browser.close();
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** In the page: when each new position was seen first. */
function look({ ids, seconds, every }) {
  return new Promise((resolve) => {
    const wanted = new Set(ids);
    const last = new Map();
    const seen = [];
    const end = Date.now() + seconds * 1000;
    const timer = setInterval(() => {
      const at = Date.now();
      for (const { id, lon, lat } of window.__console.positions()) {
        if (!wanted.has(id)) continue;
        const key = `${lon} ${lat}`;
        // What is there at first was drawn some time before.
        if (last.has(id) && last.get(id) !== key) seen.push({ id, lon, lat, at });
        last.set(id, key);
      }
      if (at < end) return;
      clearInterval(timer);
      resolve(seen);
    }, every);
  });
}
