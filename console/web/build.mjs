// Builds the page into dist/, which is committed so that the program builds without Node. The same sources give the same
// bytes on any machine. `--check` builds nothing: it fails when dist/ is not what the sources give.
//
// Each asset lies there plain and gzipped. Two versions of zlib may compress the same text differently, so a gzipped file
// that still holds its asset is left as it is.

import { build } from "esbuild";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync, gzipSync } from "node:zlib";
import { licences } from "./scripts/licences.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const DIST = join(HERE, "dist");
const LIMIT = 350 * 1024;

/** The assets by name, as buffers. */
export async function assets({ minify = true } = {}) {
  const shared = { bundle: true, minify, write: false, legalComments: "none", charset: "utf8", target: "es2022", absWorkingDir: HERE, logLevel: "error" };
  const [script, style] = await Promise.all([
    build({ ...shared, entryPoints: ["src/main.ts"], format: "esm", metafile: true }),
    build({ ...shared, entryPoints: ["src/app.css"] }),
  ]);
  const inputs = Object.keys(script.metafile.inputs);
  return new Map([
    ["app.css", Buffer.from(style.outputFiles[0].contents)],
    ["app.js", Buffer.from(script.outputFiles[0].contents)],
    ["index.html", readFileSync(join(HERE, "src/index.html"))],
    ["land.json", readFileSync(join(HERE, "data/land.json"))],
    ["licences.txt", Buffer.from(licences(HERE, inputs))],
  ]);
}

/** What in dist/ differs from the assets, as sentences. */
export function differences(built, dist = DIST) {
  const found = [];
  for (const [name, bytes] of built) {
    if (!same(join(dist, name), bytes)) found.push(`${name} is not what the sources give`);
    if (!holds(join(dist, `${name}.gz`), bytes)) found.push(`${name}.gz does not hold ${name}`);
  }
  for (const name of existsSync(dist) ? readdirSync(dist) : []) {
    if (!built.has(name.replace(/\.gz$/, ""))) found.push(`${name} is not one of the page's files`);
  }
  return found;
}

function write(built) {
  mkdirSync(DIST, { recursive: true });
  for (const name of readdirSync(DIST)) if (!built.has(name.replace(/\.gz$/, ""))) rmSync(join(DIST, name));
  for (const [name, bytes] of built) {
    if (!same(join(DIST, name), bytes)) writeFileSync(join(DIST, name), bytes);
    if (!holds(join(DIST, `${name}.gz`), bytes)) writeFileSync(join(DIST, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  }
}

function same(path, bytes) {
  return existsSync(path) && readFileSync(path).equals(bytes);
}

function holds(path, bytes) {
  try {
    return gunzipSync(readFileSync(path)).equals(bytes);
  } catch {
    return false;
  }
}

function report(built) {
  let total = 0;
  for (const [name, bytes] of built) {
    const size = readFileSync(join(DIST, `${name}.gz`)).length;
    if (name !== "licences.txt") total += size;
    console.log(`${name.padEnd(14)} ${String(bytes.length).padStart(8)} ${String(size).padStart(8)} gzip`);
  }
  console.log(`${"page".padEnd(14)} ${"".padStart(8)} ${String(total).padStart(8)} gzip of at most ${LIMIT}`);
  return total <= LIMIT;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const built = await assets();
  if (process.argv.includes("--check")) {
    const found = differences(built);
    for (const difference of found) console.error(`dist/${difference}: run "npm run build" in console/web and commit`);
    if (found.length > 0) process.exit(1);
  } else {
    write(built);
  }
  if (!report(built)) {
    console.error("The page is larger than it may be.");
    process.exit(1);
  }
}
