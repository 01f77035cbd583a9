// Makes data/land.json from a GeoJSON file of land: `node scripts/land.mjs land-50m-simplified.geojson`.
//
// {"scale":100,"rings":[[x,y,dx,dy,…],…]}: each ring begins at a corner in hundredths of a degree and goes on by steps.
// Rings are greatest first, lakes are rings within rings (even-odd), and none repeats its first corner at the end.

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const SCALE = 100;
const [source] = process.argv.slice(2);
if (source === undefined) {
  console.error("Usage: node scripts/land.mjs LAND.geojson");
  process.exit(1);
}
const { features } = JSON.parse(readFileSync(source, "utf8"));
const rings = features.flatMap(({ geometry }) => geometry.coordinates.flat()).map(closed).map(quantise).filter((ring) => ring.length >= 6);
rings.sort((a, b) => b.length - a.length);
const path = fileURLToPath(new URL("../data/land.json", import.meta.url));
writeFileSync(path, JSON.stringify({ scale: SCALE, rings }));
console.log(`${rings.length} rings, ${rings.reduce((sum, ring) => sum + ring.length / 2, 0)} corners`);

/** A ring about the pole goes down to it, where simplifying left out the corners there. */
function closed(ring) {
  return ring.flatMap((corner, at) => {
    const next = ring[at + 1];
    if (next === undefined || Math.abs(next[0] - corner[0]) <= 180) return [corner];
    const side = Math.sign(corner[0]) * 180;
    return [corner, [side, corner[1]], [side, -90], [-side, -90]];
  });
}

function quantise(ring) {
  const steps = [];
  let [x, y] = [0, 0];
  for (const [lon, lat] of ring.slice(0, -1)) {
    const [nextX, nextY] = [Math.round(lon * SCALE), Math.round(lat * SCALE)];
    if (steps.length > 0 && nextX === x && nextY === y) continue;
    steps.push(nextX - x, nextY - y);
    [x, y] = [nextX, nextY];
  }
  return steps;
}
