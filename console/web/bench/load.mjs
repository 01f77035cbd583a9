// What the console costs a simulation of 1,000 trackers with a reading a second, and how late the page is:
//
//   CONTAINER_TRACKER=target/release/container-tracker node bench/load.mjs
//
// Runs of three kinds take turns: without a console, with one at which nobody looks, and with one whose stream a page would
// read. Of each run the processor time and the readings of a window of time are taken when all trackers are under way, so
// that neither the keys made at the start nor the machine's other work counts, and the memory at its end. Then a page in
// Chromium is looked at: how long after a reading's arrival at the hub is it drawn. DEVICES, SECONDS (of a window), RUNS
// (of each kind), LATENCY_SECONDS change what is measured. Fails when the limits below are not kept.

import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, readSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { folderInMemory } from "../dev/memory.mjs";
import { latency } from "./latency.mjs";

const BINARY = process.env.CONTAINER_TRACKER ?? "target/release/container-tracker";
const DEVICES = Number(process.env.DEVICES ?? 1000);
const SECONDS = Number(process.env.SECONDS ?? 30);
const RUNS = Number(process.env.RUNS ?? 5);
/** Of processor time a reading: with the console to without. */
const MOST_TIME = 1.1;
/** Bytes that the console may add to the simulation. */
const MOST_MEMORY = 150e6;

const KINDS = [
  { name: "no console", args: ["--no-console"] },
  { name: "console", args: [] },
  { name: "console, watched", args: [], isWatched: true },
];
/** Ticks a second in which Linux counts processor time, whatever the processor. */
const TICKS = 100;

const results = new Map(KINDS.map(({ name }) => [name, []]));
console.log(`${DEVICES} trackers with a reading a second, windows of ${SECONDS} s, ${RUNS} runs of each kind in turns`);
for (let run = 1; run <= RUNS; run += 1) {
  for (const kind of KINDS) {
    const result = await measure(kind);
    results.get(kind.name).push(result);
    console.log(`run ${run}, ${kind.name.padEnd(16)} ${ms(result.perReading)} ms of processor time a reading, ${result.readings} readings, ${mb(result.memory)} MB`);
  }
}

const [without, ...others] = KINDS.map(({ name }) => ({ name, time: median(results.get(name).map(({ perReading }) => perReading)), memory: Math.max(...results.get(name).map(({ memory }) => memory)) }));
let isKept = true;
console.log(`\nmedian, ${without.name}: ${ms(without.time)} ms a reading; most memory ${mb(without.memory)} MB`);
for (const { name, time, memory } of others) {
  const [ratio, more] = [time / without.time, memory - without.memory];
  const isGood = ratio <= MOST_TIME && more <= MOST_MEMORY;
  isKept &&= isGood;
  console.log(`median, ${name}: ${ms(time)} ms a reading, ${ratio.toFixed(3)} times; most memory ${mb(memory)} MB, ${mb(more)} MB more${isGood ? "" : ": TOO MUCH"}`);
}
if (process.env.LATENCY !== "no") console.log(await latency(BINARY, DEVICES, Number(process.env.LATENCY_SECONDS ?? 30)));
process.exit(isKept ? 0 : 1);

/** One run: its processor time a reading in seconds, and its memory in bytes at the end. */
async function measure({ args, isWatched = false }) {
  const folder = folderInMemory();
  const file = join(folder, "output");
  const output = openSync(file, "w");
  const child = spawn(BINARY, ["simulate", "--devices", String(DEVICES), "--interval", "1", "--seed", "1", ...args], { stdio: ["ignore", output, output], env: { ...process.env, TMPDIR: folder } });
  closeSync(output);
  const stop = new AbortController();
  try {
    await underWay(file, child);
    if (isWatched) await watch(file, stop.signal);
    const [begin, from] = [processorTime(child.pid), statSync(file).size];
    await new Promise((resolve) => setTimeout(resolve, SECONDS * 1000));
    const [end, to] = [processorTime(child.pid), statSync(file).size];
    const readings = count(file, from, to);
    return { perReading: (end - begin) / readings, readings, memory: resident(child.pid) };
  } finally {
    stop.abort();
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("close", resolve));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Waits until every tracker has delivered several times. */
async function underWay(file, child) {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the simulation has ended: ${readFileSync(file, "utf8").slice(-2000)}`);
    if (count(file, 0, statSync(file).size) >= 5 * DEVICES) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Reads the stream as a page does. */
async function watch(file, signal) {
  const link = /http:\/\/[^\s]+[?]token=[\w-]+/.exec(readFileSync(file, "utf8"))?.[0];
  if (link === undefined) throw new Error("the simulation prints no link");
  const { headers } = await fetch(link, { redirect: "manual" });
  const cookie = headers.get("set-cookie").split(";")[0];
  const stream = await fetch(new URL("/api/live", link), { headers: { cookie }, signal });
  (async () => {
    for await (const _ of stream.body);
  })().catch(() => undefined);
}

/** Lines of a reading between two places in the output. */
function count(file, from, to) {
  const bytes = Buffer.alloc(to - from);
  const descriptor = openSync(file, "r");
  readSync(descriptor, bytes, 0, bytes.length, from);
  closeSync(descriptor);
  const mark = Buffer.from("▶");
  let found = 0;
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) found += 1;
  return found;
}

/** User and system time of a process, s. */
function processorTime(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function resident(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function ms(seconds) {
  return (seconds * 1000).toFixed(3);
}

function mb(bytes) {
  return (bytes / 1e6).toFixed(1);
}
