// Runs the browser tests one file after another, each with programs and a browser of its own: two at a time would take each
// other's processor. `node tests/program/run.mjs [NAME…]`: all, or those whose file begins so.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const names = process.argv.slice(2);
const files = readdirSync(HERE).filter((file) => file.endsWith(".test.mjs") && (names.length === 0 || names.some((name) => file.startsWith(name))));
if (files.length === 0) {
  console.error(`There is no test ${names.join(", ")} in ${HERE}.`);
  process.exit(2);
}

let [passed, failed] = [0, 0];
for (const file of files) {
  const begun = performance.now();
  console.log(`\n-- ${file.replace(".test.mjs", "")}`);
  const { stdout, status } = spawnSync(process.execPath, ["--test-reporter=spec", join(HERE, file)], { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 26 });
  const sum = (what) => Number(new RegExp(`^ℹ ${what} (\\d+)`, "m").exec(stdout)?.[1] ?? 0);
  process.stdout.write(stdout.replace(/^ℹ (?!fail).*\n/gm, ""));
  console.log(`   ${Math.round((performance.now() - begun) / 1000)} s`);
  passed += sum("pass");
  failed += sum("fail") + sum("cancelled");
  // A file that does not even load has no sum.
  if (status !== 0 && sum("fail") === 0) failed += 1;
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
