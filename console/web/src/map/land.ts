// The world's land. Rings come as steps of hundredths of a degree (scripts/land.mjs) and are kept in world units; what is
// drawn is cut to the view in double precision, so that the coast is as sharp at a harbour as it is from afar.

import { screenY, worldSize, worldX, worldY, type View } from "./projection.js";

export interface Ring {
  /** x and y in turn, world units. */
  corners: Float64Array;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface LandFile {
  scale: number;
  rings: number[][];
}

export function decodeLand({ scale, rings }: LandFile): Ring[] {
  return rings.map((steps) => {
    const corners = new Float64Array(steps.length);
    const ring: Ring = { corners, left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
    let [lon, lat] = [0, 0];
    for (let at = 0; at < steps.length; at += 2) {
      lon += steps[at] ?? 0;
      lat += steps[at + 1] ?? 0;
      const [x, y] = [worldX(lon / scale), worldY(lat / scale)];
      corners[at] = x;
      corners[at + 1] = y;
      ring.left = Math.min(ring.left, x);
      ring.right = Math.max(ring.right, x);
      ring.top = Math.min(ring.top, y);
      ring.bottom = Math.max(ring.bottom, y);
    }
    return ring;
  });
}

/** A path that takes corners; what a canvas's context is, and what tests are. */
export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** How far beyond the view rings are cut, pixels: the cut's own edges stay out of sight. */
const BEYOND = 32;
/** Corners nearer than this to the last one add nothing, pixels. */
const FINE = 0.6;

/** Draws the land that is in sight: `fill` gets closed rings, `coast` the shore without the cuts at 180° and the pole. */
export function traceLand(rings: readonly Ring[], view: View, fill: Pen, coast: Pen): void {
  const size = worldSize(view.zoom);
  const halfX = (view.width / 2 + BEYOND) / size;
  const halfY = (view.height / 2 + BEYOND) / size;
  for (const ring of rings) {
    if (ring.bottom < view.y - halfY || ring.top > view.y + halfY) continue;
    for (let copy = -1; copy <= 1; copy += 1) {
      if (ring.right + copy < view.x - halfX || ring.left + copy > view.x + halfX) continue;
      traceRing(ring, copy, view, size, fill, coast);
    }
  }
}

function traceRing(ring: Ring, copy: number, view: View, size: number, fill: Pen, coast: Pen): void {
  const { corners } = ring;
  const [shiftX, shiftY] = [view.width / 2 + (copy - view.x) * size, view.height / 2 - view.y * size];
  const points: number[] = [];
  let [lastX, lastY] = [NaN, NaN];
  let isPenDown = false;
  for (let at = 0; at < corners.length; at += 2) {
    const worldXHere = corners[at] ?? 0;
    const worldYHere = corners[at + 1] ?? 0;
    const [x, y] = [worldXHere * size + shiftX, worldYHere * size + shiftY];
    if (Math.abs(x - lastX) < FINE && Math.abs(y - lastY) < FINE) continue;
    const isCut = at > 0 && isOnCut(worldXHere, worldYHere, corners[at - 2] ?? 0, corners[at - 1] ?? 0);
    const isFar = at > 0 && !mayTouch(lastX, lastY, x, y, view);
    if (at === 0 || isCut || isFar) isPenDown = false;
    else {
      if (!isPenDown) coast.moveTo(lastX, lastY);
      coast.lineTo(x, y);
      isPenDown = true;
    }
    points.push(x, y);
    [lastX, lastY] = [x, y];
  }
  closeCoast(ring, points, lastX, lastY, coast, view);
  const cut = clip(points, -BEYOND, -BEYOND, view.width + BEYOND, view.height + BEYOND);
  for (let at = 0; at < cut.length; at += 2) {
    if (at === 0) fill.moveTo(cut[0] ?? 0, cut[1] ?? 0);
    else fill.lineTo(cut[at] ?? 0, cut[at + 1] ?? 0);
  }
  if (cut.length > 0) fill.lineTo(cut[0] ?? 0, cut[1] ?? 0);
}

function closeCoast(ring: Ring, points: number[], lastX: number, lastY: number, coast: Pen, view: View): void {
  const { corners } = ring;
  const [firstX, firstY] = [points[0] ?? 0, points[1] ?? 0];
  const end = corners.length;
  if (isOnCut(corners[0] ?? 0, corners[1] ?? 0, corners[end - 2] ?? 0, corners[end - 1] ?? 0)) return;
  if (!mayTouch(lastX, lastY, firstX, firstY, view)) return;
  coast.moveTo(lastX, lastY);
  coast.lineTo(firstX, firstY);
}

/** Whether an edge is no shore, but where the map's rings were cut at 180° or end at the pole. */
function isOnCut(x1: number, y1: number, x2: number, y2: number): boolean {
  return (x1 <= 1e-6 && x2 <= 1e-6) || (x1 >= 1 - 1e-6 && x2 >= 1 - 1e-6) || (y1 >= 0.999 && y2 >= 0.999);
}

function mayTouch(x1: number, y1: number, x2: number, y2: number, view: View): boolean {
  return (
    Math.max(x1, x2) >= -BEYOND && Math.min(x1, x2) <= view.width + BEYOND &&
    Math.max(y1, y2) >= -BEYOND && Math.min(y1, y2) <= view.height + BEYOND
  );
}

/** A ring cut to a rectangle, by Sutherland and Hodgman: one side after the other. */
export function clip(ring: number[], left: number, top: number, right: number, bottom: number): number[] {
  let points = ring;
  points = cutSide(points, 0, left, 1);
  points = cutSide(points, 0, right, -1);
  points = cutSide(points, 1, top, 1);
  return cutSide(points, 1, bottom, -1);
}

/** Keeps what lies beyond `limit` on an axis (0: x, 1: y), in the direction of `sign`. */
function cutSide(points: number[], axis: 0 | 1, limit: number, sign: 1 | -1): number[] {
  const kept: number[] = [];
  let [previousX, previousY] = [points[points.length - 2] ?? 0, points[points.length - 1] ?? 0];
  let wasIn = ((axis === 0 ? previousX : previousY) - limit) * sign >= 0;
  for (let at = 0; at < points.length; at += 2) {
    const [x, y] = [points[at] ?? 0, points[at + 1] ?? 0];
    const isIn = ((axis === 0 ? x : y) - limit) * sign >= 0;
    if (isIn !== wasIn) {
      const part = axis === 0 ? (limit - previousX) / (x - previousX) : (limit - previousY) / (y - previousY);
      kept.push(previousX + (x - previousX) * part, previousY + (y - previousY) * part);
    }
    if (isIn) kept.push(x, y);
    [previousX, previousY, wasIn] = [x, y, isIn];
  }
  return kept;
}

const STEPS = [90, 45, 30, 15, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01];

/** Degrees between lines of the graticule, so that they lie about 120 pixels apart. */
export function graticuleStep(zoom: number): number {
  const wished = (120 / worldSize(zoom)) * 360;
  return STEPS.find((step) => step <= wished * 1.5) ?? 0.01;
}

/** Draws meridians and parallels. */
export function traceGraticule(view: View, pen: Pen): void {
  const step = graticuleStep(view.zoom);
  const size = worldSize(view.zoom);
  const half = view.width / 2 / size;
  const first = Math.ceil(((view.x - half) * 360 - 180) / step);
  const last = Math.floor(((view.x + half) * 360 - 180) / step);
  for (let line = first; line <= last; line += 1) {
    const x = Math.round((worldX(line * step) - view.x) * size + view.width / 2) + 0.5;
    pen.moveTo(x, 0);
    pen.lineTo(x, view.height);
  }
  for (let line = Math.ceil(-85 / step); line * step <= 85; line += 1) {
    const y = Math.round(screenY(view, worldY(line * step))) + 0.5;
    if (y < 0 || y > view.height) continue;
    pen.moveTo(0, y);
    pen.lineTo(view.width, y);
  }
}
