// The programs under test: what `container-tracker` prints with --json is read line by line.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { folderInMemory } from "../../dev/memory.mjs";
import { until } from "./until.mjs";

/** Lines of telemetry that are kept. */
const KEPT = 5000;

export function binary() {
  const path = process.env.CONTAINER_TRACKER;
  if (!path) throw new Error("CONTAINER_TRACKER names no binary: tests/program/run.sh sets it");
  return path;
}

/** One run of the program. */
export class Program {
  lines = [];
  errors = [];
  /** Newest reading of each device as the hub received it. */
  readings = new Map();
  isOver = false;

  constructor(args, options = {}) {
    this.name = args[0];
    const temporary = folderInMemory();
    this.child = spawn(binary(), args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, TMPDIR: temporary }, ...options });
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.isOver = true;
        rmSync(temporary, { recursive: true, force: true });
        resolve(code ?? signal);
      });
    });
    createInterface({ input: this.child.stdout }).on("line", (line) => this.#take(line));
    createInterface({ input: this.child.stderr }).on("line", (line) => this.errors.push(line));
  }

  #take(line) {
    let told;
    try {
      told = JSON.parse(line);
    } catch {
      told = { event: "text", text: line };
    }
    this.lines.push(told);
    if (this.lines.length > KEPT) this.lines.shift();
    if (told.event === "telemetry" && told.body?.temperature !== undefined) this.readings.set(told.device, told);
  }

  /** Waits for a line. */
  line(what, isIt) {
    return until(`${this.name} tells ${what}`, () => {
      const found = this.lines.find(isIt);
      if (found === undefined && this.isOver) throw new Error(`${this.name} has ended: ${this.errors.join("\n")}`);
      return found;
    });
  }

  /** The address that opens the console, with its token; `isReadOnly`: the one that changes nothing. */
  async link({ isReadOnly = false } = {}) {
    const line = await this.line("the console's address", (told) => links(told).length > 0);
    const found = links(line);
    const link = isReadOnly ? found[1] : found[0];
    if (link === undefined) throw new Error(`${this.name} prints no such address: ${JSON.stringify(line)}`);
    return link;
  }

  /** The last readings of a device, oldest first. */
  last(device, count) {
    return this.lines.filter((told) => told.event === "telemetry" && told.device === device && told.body?.temperature !== undefined).slice(-count);
  }

  /** Ends it as Ctrl-C does, or at once with SIGKILL. */
  async stop(signal = "SIGINT") {
    if (!this.isOver) this.child.kill(signal);
    return this.ended;
  }
}

function links(told) {
  return JSON.stringify(told).match(/https?:\/\/[^"\s\\]+[?]token=[\w-]+/g) ?? [];
}

/** Two containers on voyages of their own, with a reading a second. */
export function simulation(...more) {
  return new Program(["simulate", "--json", "--devices", "2", "--interval", "1", "--seed", "1", "--speed", "4", ...more]);
}

/** A directory that goes with the test. */
export function workplace(test) {
  const path = mkdtempSync(join(tmpdir(), "console-test-"));
  test.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
