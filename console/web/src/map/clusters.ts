// Who is drawn together. The world is laid out in cells of a whole zoom's step, so that clusters keep their members while
// the map is moved. A cell with more devices than can be told apart becomes one circle with a number; devices that would
// hide each other stand around the place they share.

import { nearest, worldSize } from "./projection.js";
import { LOOKS } from "../states.js";

/** A cell's side, CSS pixels at the zoom it is laid out for. */
const CELL = 64;
/** The most devices of a cell that are drawn each for itself. */
const SINGLES = 6;
/** Markers nearer than this hide each other, pixels. */
const HIDDEN = 13;
/** What keeps circles apart, pixels. */
const GAP = 2;

export interface Single {
  index: number;
  /** Away from its true place, pixels. */
  dx: number;
  dy: number;
}

export interface Cluster {
  members: number[];
  x: number;
  y: number;
  /** How many have each of LOOKS. */
  looks: Uint32Array;
}

export interface Layout {
  singles: Single[];
  clusters: Cluster[];
}

export interface Placed {
  size: number;
  toX: Float64Array;
  toY: Float64Array;
  looks: Uint8Array;
}

/** The zoom a view is laid out for: half a step or less farther out, so that nothing comes nearer than it was laid out. */
export function levelOf(zoom: number): number {
  return Math.max(0, Math.floor(zoom * 2) / 2);
}

/** A circle's radius by its members, CSS pixels. */
export function radiusOf(count: number): number {
  return Math.min(26, 11 + 1.15 * Math.log2(count));
}

/** Lays out the devices of `placed` that `isShown` names, for a zoom. */
export function layout(placed: Placed, zoom: number, isShown: ((index: number) => boolean) | null): Layout {
  const size = worldSize(levelOf(zoom));
  const cells = Math.max(1, Math.round(size / CELL));
  const byCell = new Map<number, number[]>();
  for (let index = 0; index < placed.size; index += 1) {
    if (isShown !== null && !isShown(index)) continue;
    const x = placed.toX[index] ?? 0;
    const column = Math.floor((x - Math.floor(x)) * cells);
    const key = Math.floor((placed.toY[index] ?? 0) * cells) * cells + column;
    const members = byCell.get(key);
    if (members === undefined) byCell.set(key, [index]);
    else members.push(index);
  }
  const result: Layout = { singles: [], clusters: [] };
  const circles = new Map<number, Cluster>();
  for (const [key, members] of byCell) if (members.length > SINGLES) circles.set(key, cluster(placed, members));
  absorb(placed, byCell, circles, cells, size);
  for (const [key, members] of byCell) if (!circles.has(key)) spread(placed, members, size, result.singles);
  result.clusters = joined(placed, circles, cells, size);
  return result;
}

/** Devices that a circle would hide are counted in it. */
function absorb(placed: Placed, byCell: Map<number, number[]>, circles: Map<number, Cluster>, cells: number, size: number): void {
  for (const [key, members] of byCell) {
    if (circles.has(key)) continue;
    for (const near of around(key, cells)) {
      const circle = circles.get(near);
      if (circle === undefined) continue;
      const reach = radiusOf(circle.members.length) + HIDDEN / 2;
      const hidden = members.filter((index) => distance(placed, index, circle) * size < reach);
      if (hidden.length === 0) continue;
      circles.set(near, cluster(placed, [...circle.members, ...hidden]));
      const left = members.filter((index) => !hidden.includes(index));
      members.splice(0, members.length, ...left);
    }
  }
}

function distance(placed: Placed, index: number, { x, y }: Cluster): number {
  return Math.hypot(nearest(placed.toX[index] ?? 0, x) - x, (placed.toY[index] ?? 0) - y);
}

function cluster(placed: Placed, members: number[]): Cluster {
  const looks = new Uint32Array(LOOKS.length);
  const first = placed.toX[members[0] ?? 0] ?? 0;
  let [x, y] = [0, 0];
  for (const index of members) {
    const which = placed.looks[index] ?? 0;
    looks[which] = (looks[which] ?? 0) + 1;
    x += nearest(placed.toX[index] ?? 0, first);
    y += placed.toY[index] ?? 0;
  }
  x /= members.length;
  return { members, x: x - Math.floor(x), y: y / members.length, looks };
}

/** Circles that would overlap become one, the greater taking the lesser in. */
function joined(placed: Placed, circles: Map<number, Cluster>, cells: number, size: number): Cluster[] {
  const order = [...circles].sort((a, b) => b[1].members.length - a[1].members.length);
  const kept: Cluster[] = [];
  const taken = new Set<number>();
  for (const [key, greatest] of order) {
    if (taken.has(key)) continue;
    taken.add(key);
    let circle = greatest;
    for (const near of around(key, cells)) {
      const other = circles.get(near);
      if (other === undefined || taken.has(near)) continue;
      const [dx, dy] = [nearest(other.x, circle.x) - circle.x, other.y - circle.y];
      const least = radiusOf(circle.members.length) + radiusOf(other.members.length) + GAP;
      if (Math.hypot(dx, dy) * size > least) continue;
      taken.add(near);
      circle = cluster(placed, [...circle.members, ...other.members]);
    }
    kept.push(circle);
  }
  return kept;
}

function around(key: number, cells: number): number[] {
  const [row, column] = [Math.floor(key / cells), key % cells];
  const keys: number[] = [];
  for (let dy = -1; dy <= 1; dy += 1) {
    for (let dx = -1; dx <= 1; dx += 1) {
      if (dx !== 0 || dy !== 0) keys.push((row + dy) * cells + ((column + dx + cells) % cells));
    }
  }
  return keys;
}

/** Devices of one cell, each for itself; those that hide each other in a ring. */
function spread(placed: Placed, members: number[], size: number, singles: Single[]): void {
  const grouped = new Set<number>();
  for (const index of members) {
    if (grouped.has(index)) continue;
    const group = members.filter((other) => !grouped.has(other) && hides(placed, index, other, size));
    for (const other of group) grouped.add(other);
    if (group.length === 1) {
      singles.push({ index, dx: 0, dy: 0 });
      continue;
    }
    const radius = Math.max(10, (group.length * 18) / (2 * Math.PI));
    for (const [at, other] of group.entries()) {
      const angle = (at / group.length) * 2 * Math.PI - Math.PI / 2;
      singles.push({ index: other, dx: Math.cos(angle) * radius, dy: Math.sin(angle) * radius });
    }
  }
}

function hides(placed: Placed, a: number, b: number, size: number): boolean {
  const dx = nearest(placed.toX[b] ?? 0, placed.toX[a] ?? 0) - (placed.toX[a] ?? 0);
  return Math.hypot(dx, (placed.toY[b] ?? 0) - (placed.toY[a] ?? 0)) * size < HIDDEN;
}
