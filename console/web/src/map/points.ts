// Where every device is drawn: its place, and while it moves the way from the old place to the new one.

import { look, LOOKS } from "../states.js";
import type { Row } from "../api-types.js";
import { nearest, worldX, worldY } from "./projection.js";

const FIRST_ROOM = 256;

export class Points {
  /** The devices with a place, by index. */
  readonly ids: string[] = [];
  /** Targets and origins, world units; `toX` may lie beyond 0 to 1 where a way crosses 180°. */
  toX = new Float64Array(FIRST_ROOM);
  toY = new Float64Array(FIRST_ROOM);
  private fromX = new Float64Array(FIRST_ROOM);
  private fromY = new Float64Array(FIRST_ROOM);
  /** When the way began, ms; 0 when it has ended. */
  private began = new Float64Array(FIRST_ROOM);
  /** Index in LOOKS. */
  looks = new Uint8Array(FIRST_ROOM);
  /** Degrees from north; NaN where unknown. */
  courses = new Float32Array(FIRST_ROOM);
  private readonly index = new Map<string, number>();

  /** ms that a marker takes for its way. */
  constructor(readonly duration: number) {}

  get size(): number {
    return this.ids.length;
  }

  indexOf(id: string): number | undefined {
    return this.index.get(id);
  }

  /**
   * Takes a row's news at `now` (ms). A way shorter than `least` or longer than `most` (world units) is not animated.
   * Gives true where the marker moved or looks different.
   */
  set(row: Row, now: number, least: number, most: number): boolean {
    if (row.at === null || !Number.isFinite(row.at[0]) || !Number.isFinite(row.at[1])) return this.remove(row.id);
    const [x, y] = [worldX(row.at[0]), worldY(row.at[1])];
    const lookHere = LOOKS.indexOf(look(row));
    const course = row.course ?? NaN;
    let at = this.index.get(row.id);
    if (at === undefined) {
      at = this.ids.push(row.id) - 1;
      this.index.set(row.id, at);
      this.makeRoom(at + 1);
      this.toX[at] = this.fromX[at] = x;
      this.toY[at] = this.fromY[at] = y;
      this.began[at] = 0;
      this.looks[at] = lookHere;
      this.courses[at] = course;
      return true;
    }
    const isSame = this.looks[at] === lookHere && Object.is(this.courses[at], Math.fround(course));
    this.looks[at] = lookHere;
    this.courses[at] = course;
    return this.move(at, x, y, now, least, most) || !isSame;
  }

  remove(id: string): boolean {
    const at = this.index.get(id);
    if (at === undefined) return false;
    const last = this.ids.length - 1;
    const moved = this.ids[last] ?? "";
    this.ids[at] = moved;
    this.index.set(moved, at);
    for (const column of [this.toX, this.toY, this.fromX, this.fromY, this.began, this.looks, this.courses]) {
      column[at] = column[last] ?? 0;
    }
    this.ids.pop();
    this.index.delete(id);
    return true;
  }

  /** How far along its way a marker is, 0 to 1. */
  private part(at: number, now: number): number {
    const began = this.began[at] ?? 0;
    if (began === 0) return 1;
    const part = (now - began) / this.duration;
    if (part < 1) return Math.max(0, part);
    this.began[at] = 0;
    return 1;
  }

  /** Whether a marker was under way when its place was last asked for. */
  isMoving(at: number): boolean {
    return (this.began[at] ?? 0) !== 0;
  }

  x(at: number, now: number): number {
    const to = this.toX[at] ?? 0;
    const part = this.part(at, now);
    return part === 1 ? to : (this.fromX[at] ?? 0) + (to - (this.fromX[at] ?? 0)) * part;
  }

  y(at: number, now: number): number {
    const to = this.toY[at] ?? 0;
    const part = this.part(at, now);
    return part === 1 ? to : (this.fromY[at] ?? 0) + (to - (this.fromY[at] ?? 0)) * part;
  }

  private move(at: number, x: number, y: number, now: number, least: number, most: number): boolean {
    const [hereX, hereY] = [this.x(at, now), this.y(at, now)];
    // The shorter way round: a ship that passes 180° does not cross the map.
    const target = nearest(x, hereX);
    const way = Math.max(Math.abs(target - hereX), Math.abs(y - hereY));
    if (target === this.toX[at] && y === this.toY[at]) return false;
    const isAnimated = this.duration > 0 && way >= least && way <= most;
    const turns = isAnimated ? Math.floor(hereX) : Math.floor(target);
    this.toX[at] = target - turns;
    this.toY[at] = y;
    this.fromX[at] = isAnimated ? hereX - turns : target - turns;
    this.fromY[at] = isAnimated ? hereY : y;
    this.began[at] = isAnimated ? now : 0;
    return way > 0;
  }

  private makeRoom(size: number): void {
    if (size <= this.toX.length) return;
    const room = this.toX.length * 2;
    this.toX = grown(this.toX, new Float64Array(room));
    this.toY = grown(this.toY, new Float64Array(room));
    this.fromX = grown(this.fromX, new Float64Array(room));
    this.fromY = grown(this.fromY, new Float64Array(room));
    this.began = grown(this.began, new Float64Array(room));
    this.looks = grown(this.looks, new Uint8Array(room));
    this.courses = grown(this.courses, new Float32Array(room));
  }
}

function grown<T extends Float64Array | Float32Array | Uint8Array>(old: T, wider: T): T {
  wider.set(old);
  return wider;
}
