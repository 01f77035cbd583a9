// Runs the browser tests, two files at a time, each with programs and a browser of its own: most of the time they wait.
// `node tests/program/run.mjs [NAME…]`: all, or those whose file begins so.

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const AT_A_TIME = 2;
const names = process.argv.slice(2);
const files = readdirSync(HERE).filter((file) => file.endsWith(".test.mjs") && (names.length === 0 || names.some((name) => file.startsWith(name))));
if (files.length === 0) {
  console.error(`There is no test ${names.join(", ")} in ${HERE}.`);
  process.exit(2);
}

let [passed, failed] = [0, 0];
const waiting = [...files];
await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) await run(file);
}));
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

/** Runs a file, and prints what it says when it is over. */
async function run(file) {
  const begun = performance.now();
  const child = spawn(process.execPath, ["--test-reporter=spec", join(HERE, file)], { stdio: ["ignore", "pipe", "inherit"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (said += text));
  const status = await new Promise((resolve) => child.on("close", resolve));
  const sum = (what) => Number(new RegExp(`^ℹ ${what} (\\d+)`, "m").exec(said)?.[1] ?? 0);
  console.log(`\n-- ${file.replace(".test.mjs", "")}: ${Math.round((performance.now() - begun) / 1000)} s`);
  process.stdout.write(said.replace(/^ℹ .*\n/gm, ""));
  passed += sum("pass");
  failed += sum("fail") + sum("cancelled");
  // A file that does not even load has no sum.
  if (status !== 0 && sum("fail") === 0) failed += 1;
}
