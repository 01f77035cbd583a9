// The map's arithmetic: projection, the antimeridian, clusters, the coast's cut.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { layout, levelOf, radiusOf } from "../src/map/clusters.js";
import { outlinesOf } from "../src/map/fences.js";
import { clip, decodeLand, traceLand } from "../src/map/land.js";
import { Points } from "../src/map/points.js";
import { clampView, fitView, latitude, longitude, nearest, screenX, screenY, shortestSpan, worldSize, worldX, worldY, zoomAbout, type View } from "../src/map/projection.js";
import { roundLength } from "../src/map/scale.js";
import { Tails } from "../src/map/tails.js";
import { row } from "./rows.js";

const VIEW: View = { x: 0.5, y: 0.5, zoom: 3, width: 800, height: 600 };

class Recorder {
  lines: [number, number][][] = [];
  moveTo(x: number, y: number): void {
    this.lines.push([[x, y]]);
  }
  lineTo(x: number, y: number): void {
    this.lines.at(-1)?.push([x, y]);
  }
}

test("the projection goes there and back", () => {
  for (const [lon, lat] of [[0, 0], [-179.9, -60.5], [4.05, 51.95], [179.99, 84]] as const) {
    assert.ok(Math.abs(longitude(worldX(lon)) - lon) < 1e-9);
    assert.ok(Math.abs(latitude(worldY(lat)) - lat) < 1e-9);
  }
  assert.equal(worldY(90), worldY(85.0511));
});

test("zooming keeps the place under the pointer", () => {
  const [x, y] = [0.43, 0.41];
  const before = [screenX(VIEW, x), screenY(VIEW, y)] as const;
  const after = zoomAbout(VIEW, 2.3, before[0], before[1]);
  assert.ok(Math.abs(screenX(after, x) - before[0]) < 1e-6);
  assert.ok(Math.abs(screenY(after, y) - before[1]) < 1e-6);
});

test("a fleet on both sides of 180° is shown over the Pacific", () => {
  const span = shortestSpan([worldX(170), worldX(-170), worldX(-175)]);
  assert.ok(Math.abs(span.width - 20 / 360) < 1e-9);
  const view = fitView(VIEW, [worldX(170), worldX(-170)], [worldY(10), worldY(20)], 40, 8);
  assert.ok(Math.abs(Math.abs(longitude(view.x)) - 180) < 1e-6);
  assert.ok(view.zoom > 4);
});

test("the view stays within the world", () => {
  const view = clampView({ ...VIEW, y: -3, x: 7.25, zoom: -2 });
  assert.ok(worldSize(view.zoom) >= VIEW.width);
  assert.ok(screenY(view, 0) <= 0.12 * worldSize(view.zoom) + 1e-9);
  assert.equal(view.x, 0.25);
});

test("a ship that passes 180° goes the short way", () => {
  const points = new Points(100);
  points.set(row("a", { at: [179.9, 0] }), 0, 0, 1);
  points.set(row("a", { at: [-179.9, 0] }), 1000, 0, 1);
  const halfWay = points.x(0, 1050);
  assert.ok(Math.abs(nearest(halfWay, 1) - 1) < 1e-9, `${halfWay} is at 180°`);
  for (let now = 1000; now <= 1100; now += 10) {
    assert.ok(Math.abs(nearest(points.x(0, now), 1) - 1) <= 0.1 / 360 + 1e-9);
  }
  assert.ok(Math.abs(nearest(points.x(0, 1100), 0) - worldX(-179.9)) < 1e-9);
});

test("a marker without duration is where it belongs at once", () => {
  const points = new Points(0);
  points.set(row("a", { at: [0, 0] }), 0, 0, 1);
  points.set(row("a", { at: [10, 0] }), 1000, 0, 1);
  assert.equal(points.x(0, 1000), worldX(10));
  assert.equal(points.isMoving(0), false);
});

test("a device that loses its place, or has none that is true, is not drawn", () => {
  const points = new Points(0);
  for (const id of ["a", "b", "c"]) points.set(row(id, { at: [1, 2] }), 0, 0, 1);
  points.set(row("a", { at: null }), 0, 0, 1);
  points.set(row("b", { at: [NaN, 1] }), 0, 0, 1);
  assert.deepEqual(points.ids, ["c"]);
  assert.equal(points.indexOf("c"), 0);
});

test("a tail over 180° is one short line", () => {
  const tails = new Tails();
  tails.replace({ a: [[178, 40], [179, 41], [-180, 42], [-179, 43]] });
  const [older, newer] = [new Recorder(), new Recorder()];
  tails.trace("a", { ...VIEW, x: 0.99 }, older, newer);
  const xs = [...older.lines, ...newer.lines].flat().map(([x]) => x);
  assert.ok(Math.max(...xs) - Math.min(...xs) < (4 / 360) * worldSize(3));
});

test("a gap in a tail is a gap", () => {
  const tails = new Tails();
  tails.replace({ a: [[0, 0], [5, 0], null, [20, 0], [25, 0]] });
  const pen = new Recorder();
  tails.trace("a", VIEW, pen, pen);
  const longest = Math.max(...pen.lines.map((line) => (line.at(-1)?.[0] ?? 0) - (line[0]?.[0] ?? 0)));
  assert.ok(longest <= (5 / 360) * worldSize(3) + 1e-6);
});

test("every device is in one cluster or drawn for itself, also at 180°", () => {
  const points = new Points(0);
  for (let at = 0; at < 3000; at += 1) {
    const lon = ((at * 137.5) % 360) - 180;
    points.set(row(`d${at}`, { at: [at % 3 === 0 ? 179.95 - (at % 7) / 10 : lon, ((at * 61) % 120) - 60] }), 0, 0, 1);
  }
  for (const zoom of [1, 2.4, 5, 9.7]) {
    const { singles, clusters } = layout(points, zoom, null);
    const all = [...singles.map(({ index }) => index), ...clusters.flatMap(({ members }) => members)];
    assert.equal(all.length, 3000, `zoom ${zoom}`);
    assert.equal(new Set(all).size, 3000, `zoom ${zoom}`);
    const counted = clusters.reduce((sum, { looks }) => sum + looks.reduce((a, b) => a + b, 0), 0);
    assert.equal(counted + singles.length, 3000);
  }
});

test("a cluster on 180° stands there, not in the middle of the map", () => {
  const points = new Points(0);
  for (let at = 0; at < 40; at += 1) points.set(row(`d${at}`, { at: [at % 2 === 0 ? 179.99 : -179.99, 10] }), 0, 0, 1);
  const { clusters } = layout(points, 2, null);
  for (const { x } of clusters) assert.ok(Math.abs(nearest(x, 1) - 1) < 0.001, `${x}`);
});

test("two containers in one place are seen beside each other", () => {
  const points = new Points(0);
  for (const id of ["a", "b"]) points.set(row(id, { at: [4, 52] }), 0, 0, 1);
  const { singles, clusters } = layout(points, 5, null);
  assert.equal(clusters.length, 0);
  const [a, b] = singles;
  assert.ok(a && b && Math.hypot(a.dx - b.dx, a.dy - b.dy) > 12);
});

test("a layout serves its zoom and half a step nearer", () => {
  for (const zoom of [1, 1.49, 1.5, 1.99]) assert.ok(levelOf(zoom) <= zoom && zoom - levelOf(zoom) < 0.5);
  assert.ok(radiusOf(10_000) <= 26);
});

test("a ring is cut to the view", () => {
  const square = clip([-10, -10, 30, -10, 30, 30, -10, 30], 0, 0, 20, 20);
  const xs = square.filter((_, at) => at % 2 === 0);
  assert.equal(Math.min(...xs), 0);
  assert.equal(Math.max(...xs), 20);
  assert.deepEqual(clip([50, 50, 60, 50, 60, 60], 0, 0, 20, 20), []);
});

test("the land is where it is: ports at the shore, no shore along 180°", () => {
  const file = JSON.parse(readFileSync("data/land.json", "utf8"));
  const rings = decodeLand(file);
  const view: View = { x: 0, y: worldY(66), zoom: 4, width: 600, height: 600 };
  const [fill, coast] = [new Recorder(), new Recorder()];
  traceLand(rings, view, fill, coast);
  assert.ok(fill.lines.length > 1);
  const upright = coast.lines.flatMap((line) => line.slice(1).map(([x, y], at) => [line[at] ?? [0, 0], [x, y]] as const))
    .filter(([[x1, y1], [x2, y2]]) => Math.abs(x1 - 300) < 0.01 && Math.abs(x2 - 300) < 0.01 && Math.abs(y1 - y2) > 1);
  assert.deepEqual(upright, []);
});

test("a fence about a point is as wide as its radius", () => {
  const [ring] = outlinesOf({ device: null, name: "a", geometry: { type: "Point", coordinates: [4, 52] }, radius: 1000 });
  const lons = (ring ?? []).map(([lon]) => lon);
  const wide = ((Math.max(...lons) - Math.min(...lons)) / 360) * 40_075_017 * Math.cos((52 * Math.PI) / 180);
  assert.ok(Math.abs(wide - 2000) < 10, `${wide}`);
});

test("the scale's length is round", () => {
  assert.deepEqual([999, 1000, 4999, 5000, 2.3].map(roundLength), [500, 1000, 2000, 5000, 2]);
});
