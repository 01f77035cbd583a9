// Draws devices and clusters, and remembers where, so that a click or a key finds them.

import { LOOKS } from "../states.js";
import { radiusOf, type Cluster, type Layout } from "./clusters.js";
import type { Palette } from "./palette.js";
import type { Points } from "./points.js";
import { nearest, worldSize, type View } from "./projection.js";
import type { Sprites } from "./sprites.js";

const RIM = 24;
/** How far from a marker a click still means it, pixels. */
const REACH = 14;
/** Names are drawn beside markers from this zoom on, if not more are in sight than this. */
const NAMED_ZOOM = 6.5;
const NAMED_COUNT = 60;

export type Thing = { id: string; cluster: null } | { id: null; cluster: Cluster };

export type Drawn = Thing & { x: number; y: number; radius: number };

export interface Ink {
  pen: CanvasRenderingContext2D;
  palette: Palette;
  sprites: Sprites;
}

export class Markers {
  /** Everything of the last drawing, circles first. */
  drawn: Drawn[] = [];

  constructor(private readonly points: Points, private readonly name: (id: string) => string, private readonly number: (value: number) => string) {}

  /** Finds where all in sight is to be drawn; true while something moves. */
  place(layout: Layout, view: View, now: number): boolean {
    const drawn: Drawn[] = [];
    const size = worldSize(view.zoom);
    const isOut = (x: number, y: number, rim: number): boolean => x < -rim || y < -rim || x > view.width + rim || y > view.height + rim;
    for (const cluster of layout.clusters) {
      const x = (nearest(cluster.x, view.x) - view.x) * size + view.width / 2;
      const y = (cluster.y - view.y) * size + view.height / 2;
      const radius = radiusOf(cluster.members.length);
      if (!isOut(x, y, radius)) drawn.push({ id: null, cluster, x, y, radius });
    }
    let isMoving = false;
    for (const { index, dx, dy } of layout.singles) {
      const id = this.points.ids[index];
      if (id === undefined) continue;
      const x = (nearest(this.points.x(index, now), view.x) - view.x) * size + view.width / 2 + dx;
      const y = (this.points.y(index, now) - view.y) * size + view.height / 2 + dy;
      if (isOut(x, y, RIM)) continue;
      isMoving ||= this.points.isMoving(index);
      drawn.push({ id, cluster: null, x, y, radius: 9 });
    }
    this.drawn = drawn;
    return isMoving;
  }

  draw(ink: Ink, view: View): void {
    const { pen, palette, sprites } = ink;
    let singles = 0;
    for (const thing of this.drawn) {
      if (thing.cluster !== null) {
        drawCluster(pen, palette, thing.cluster, thing.x, thing.y, thing.radius, this.number(thing.cluster.members.length));
        continue;
      }
      const index = this.points.indexOf(thing.id);
      if (index === undefined) continue;
      singles += 1;
      sprites.draw(pen, this.points.looks[index] ?? 0, this.points.courses[index] ?? NaN, thing.x, thing.y);
    }
    if (view.zoom >= NAMED_ZOOM && singles <= NAMED_COUNT) this.drawNames(pen, palette);
  }

  /** What lies at a pixel: the nearest within reach. */
  at(x: number, y: number): Drawn | null {
    let found: Drawn | null = null;
    let least = Infinity;
    for (const thing of this.drawn) {
      const away = Math.hypot(thing.x - x, thing.y - y) - Math.max(0, thing.radius - REACH / 2);
      if (away < Math.min(least, REACH)) [found, least] = [thing, away];
    }
    return found;
  }

  find(thing: Thing | null): Drawn | null {
    if (thing === null) return null;
    return this.drawn.find((other) => isSame(other, thing)) ?? null;
  }

  private drawNames(pen: CanvasRenderingContext2D, palette: Palette): void {
    pen.font = `12px ${palette.font}`;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    pen.lineWidth = 3;
    pen.lineJoin = "round";
    pen.strokeStyle = palette.edge;
    pen.fillStyle = palette.ink;
    for (const { id, x, y } of this.drawn) {
      if (id === null) continue;
      const name = this.name(id);
      pen.strokeText(name, x + 14, y);
      pen.fillText(name, x + 14, y);
    }
    pen.textBaseline = "alphabetic";
  }
}

/** Whether two are the same device, or circles with a member in common. */
export function isSame(a: Thing, b: Thing): boolean {
  if (a.cluster === null || b.cluster === null) return a.id !== null && a.id === b.id;
  return a.cluster === b.cluster;
}

/** A circle with the number of its members, and a ring with the share of each state. */
function drawCluster(
  pen: CanvasRenderingContext2D, palette: Palette, cluster: Cluster, x: number, y: number, radius: number, count: string,
): void {
  pen.fillStyle = palette.surface;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
  pen.lineWidth = 3.5;
  let angle = -Math.PI / 2;
  for (const [at, look] of LOOKS.entries()) {
    const share = (cluster.looks[at] ?? 0) / cluster.members.length;
    if (share === 0) continue;
    pen.strokeStyle = palette.looks[look];
    pen.beginPath();
    pen.arc(x, y, radius - 2, angle, angle + share * 2 * Math.PI);
    pen.stroke();
    angle += share * 2 * Math.PI;
  }
  pen.fillStyle = palette.ink;
  pen.font = `600 11px ${palette.font}`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(count, x, y + 0.5);
  pen.textBaseline = "alphabetic";
}

/** A ring about what is chosen or has the keyboard's focus. */
export function drawRing(pen: CanvasRenderingContext2D, palette: Palette, thing: Drawn, isStrong: boolean): void {
  pen.beginPath();
  pen.arc(thing.x, thing.y, thing.radius + 6, 0, 2 * Math.PI);
  pen.lineWidth = isStrong ? 5 : 4;
  pen.strokeStyle = palette.edge;
  pen.stroke();
  pen.lineWidth = isStrong ? 2.5 : 1.5;
  pen.strokeStyle = palette.focus;
  pen.stroke();
}
