// The licences of what is bundled: every package that gave a file to the script, with its own licence text.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

const OWN = `The console's page is part of container-tracker, licensed under MIT or Apache-2.0.

land.json: land outlines of Natural Earth 4.1.0 (1:50 million, simplified), public domain; by way of the npm package
world-atlas 2.0.2 (ISC, Michael Bostock).
`;

/** The text of licences.txt, given the bundle's inputs (paths beneath `root`). */
export function licences(root, inputs) {
  const packages = new Set();
  for (const input of inputs) {
    const match = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    if (match) packages.add(match[1]);
  }
  return [OWN, ...[...packages].sort().map((name) => licence(join(root, "node_modules", name)))].join("\n");
}

function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? "" : readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim();
  return `${"-".repeat(80)}\n${name} ${version} (${license})\n\n${text}\n`;
}
