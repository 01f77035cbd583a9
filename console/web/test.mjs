// Runs the tests: `npm test` all, `npm test -- unit` without a browser, `npm test -- browser` those with one. Tests in
// TypeScript are bundled first; those in a browser look at dist/, so build before.

import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = dirname(fileURLToPath(import.meta.url));
const BUILT = join(HERE, ".test-build");
const kinds = process.argv.slice(2);
const isWanted = (kind) => kinds.length === 0 || kinds.includes(kind);
const files = [];

if (isWanted("unit")) {
  rmSync(BUILT, { recursive: true, force: true });
  const tests = readdirSync(join(HERE, "tests"), { recursive: true }).filter((name) => name.endsWith(".test.ts"));
  await build({
    absWorkingDir: HERE, entryPoints: tests.map((name) => `tests/${name}`), outdir: BUILT, outbase: "tests", bundle: true, platform: "node", format: "esm",
    packages: "external", outExtension: { ".js": ".mjs" }, sourcemap: "inline", logLevel: "error",
  });
  files.push(...tests.map((name) => join(BUILT, name.replace(/\.ts$/, ".mjs"))));
}
if (isWanted("browser")) {
  files.push(...readdirSync(join(HERE, "tests/browser")).filter((name) => name.endsWith(".test.mjs")).map((name) => join(HERE, "tests/browser", name)));
}
const { status } = spawnSync(process.execPath, ["--enable-source-maps", "--test", "--test-concurrency=1", ...files], { stdio: "inherit" });
process.exit(status ?? 1);
