// The way behind each device, in world units. A way is one line however often it passes 180°: its x goes on beyond 0 to 1.

import type { Position } from "../api-types.js";
import type { Pen } from "./land.js";
import { nearest, worldSize, worldX, worldY, type View } from "./projection.js";

/** The most places kept of one tail. */
const LONGEST = 240;
/** Corners nearer than this are left out, pixels. */
const FINE = 1.5;

interface Tail {
  /** x and y in turn; NaN is a gap. */
  corners: number[];
  left: number;
  right: number;
  top: number;
  bottom: number;
  /** How many numbers of `corners` the layer below holds already. */
  drawn: number;
}

export class Tails {
  private readonly tails = new Map<string, Tail>();
  /** Grows with every change. */
  version = 0;

  replace(tails: Record<string, (Position | null)[]>): void {
    this.tails.clear();
    for (const [id, positions] of Object.entries(tails)) {
      for (const position of positions) this.append(id, position);
    }
    this.version += 1;
  }

  clear(): void {
    this.tails.clear();
    this.version += 1;
  }

  remove(id: string): void {
    this.tails.delete(id);
  }

  append(id: string, position: Position | null): void {
    let tail = this.tails.get(id);
    if (tail === undefined) {
      tail = { corners: [], left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity, drawn: 0 };
      this.tails.set(id, tail);
    }
    const { corners } = tail;
    if (position === null) {
      if (corners.length > 0 && !Number.isNaN(corners[corners.length - 1])) corners.push(NaN, NaN);
      return;
    }
    const y = worldY(position[1]);
    const previous = lastTrue(corners);
    const x = previous === undefined ? worldX(position[0]) : nearest(worldX(position[0]), previous.x);
    if (previous?.x === x && previous.y === y && !Number.isNaN(corners[corners.length - 1])) return;
    corners.push(x, y);
    tail.left = Math.min(tail.left, x);
    tail.right = Math.max(tail.right, x);
    tail.top = Math.min(tail.top, y);
    tail.bottom = Math.max(tail.bottom, y);
    this.version += 1;
    if (corners.length > 2 * LONGEST) {
      corners.splice(0, corners.length - 1.5 * LONGEST);
      tail.drawn = 0;
    }
  }

  /** Draws a tail; `older` gets its first half, `newer` the rest. */
  trace(id: string, view: View, older: Pen, newer: Pen): void {
    const tail = this.tails.get(id);
    if (tail === undefined) return;
    const size = worldSize(view.zoom);
    const shift = this.shift(tail, view);
    tail.drawn = tail.corners.length;
    const halfX = view.width / 2 / size;
    const halfY = view.height / 2 / size;
    if (tail.right + shift < view.x - halfX || tail.left + shift > view.x + halfX) return;
    if (tail.bottom < view.y - halfY || tail.top > view.y + halfY) return;
    const half = tail.corners.length / 4 - ((tail.corners.length / 4) % 1);
    traceCorners(tail.corners, 0, half + 1, shift, view, older);
    traceCorners(tail.corners, half, tail.corners.length / 2, shift, view, newer);
  }

  /** Draws what came since `trace`, on to the marker's place on the screen. */
  traceEnd(id: string, view: View, markerX: number, markerY: number, pen: Pen): void {
    const tail = this.tails.get(id);
    const end = tail === undefined ? undefined : lastTrue(tail.corners);
    if (tail === undefined || end === undefined || Number.isNaN(tail.corners[tail.corners.length - 1])) return;
    const size = worldSize(view.zoom);
    const shift = this.shift(tail, view);
    // The newest corner is the marker's target, which the marker has not reached while it moves.
    const last = tail.corners.length / 2 - 1;
    const first = Math.max(0, Math.min(tail.drawn / 2, last) - 1);
    let isPenDown = false;
    for (let at = first; at < last; at += 1) {
      const x = tail.corners[2 * at] ?? NaN;
      if (Number.isNaN(x)) {
        isPenDown = false;
        continue;
      }
      const screenX = (x + shift - view.x) * size + view.width / 2;
      const screenY = ((tail.corners[2 * at + 1] ?? 0) - view.y) * size + view.height / 2;
      if (isPenDown) pen.lineTo(screenX, screenY);
      else pen.moveTo(screenX, screenY);
      isPenDown = true;
    }
    if (isPenDown) pen.lineTo(markerX, markerY);
  }

  /** Whole worlds to move a tail by, so that its end lies where its marker is drawn. */
  private shift(tail: Tail, view: View): number {
    const end = lastTrue(tail.corners);
    return end === undefined ? 0 : nearest(end.x, view.x) - end.x;
  }
}

function traceCorners(corners: number[], from: number, to: number, shift: number, view: View, pen: Pen): void {
  const size = worldSize(view.zoom);
  const [shiftX, shiftY] = [(shift - view.x) * size + view.width / 2, view.height / 2 - view.y * size];
  let [lastX, lastY, isPenDown] = [NaN, NaN, false];
  for (let at = from; at < to; at += 1) {
    const x = (corners[2 * at] ?? NaN) * size + shiftX;
    const y = (corners[2 * at + 1] ?? NaN) * size + shiftY;
    if (Number.isNaN(x)) {
      isPenDown = false;
      continue;
    }
    if (!isPenDown) pen.moveTo(x, y);
    else if (Math.abs(x - lastX) + Math.abs(y - lastY) < FINE && at < to - 1) continue;
    else pen.lineTo(x, y);
    [lastX, lastY, isPenDown] = [x, y, true];
  }
}

function lastTrue(corners: number[]): { x: number; y: number } | undefined {
  for (let at = corners.length - 2; at >= 0; at -= 2) {
    const x = corners[at] ?? NaN;
    if (!Number.isNaN(x)) return { x, y: corners[at + 1] ?? 0 };
  }
  return undefined;
}
