// Geofences as paths: circles about a point, and polygons as they are.

import type { Fence, Position } from "../api-types.js";
import type { Pen } from "./land.js";
import { nearest, screenX, screenY, worldLength, worldSize, worldX, worldY, type View } from "./projection.js";

/** Fences smaller than this are not drawn, pixels; those larger than the second have their name beside them. */
const SMALL = 6;
const NAMED = 28;
const CIRCLE_CORNERS = 48;

export interface DrawnFence {
  name: string;
  x: number;
  y: number;
}

/** Draws the fences in sight; gives the names that have room. */
export function traceFences(fences: readonly Fence[], view: View, pen: Pen): DrawnFence[] {
  const names: DrawnFence[] = [];
  for (const fence of fences) {
    const outlines = outlinesOf(fence);
    const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
    const onScreen = outlines.map((outline) => project(outline, view, box));
    if (box.right < 0 || box.left > view.width || box.bottom < 0 || box.top > view.height) continue;
    const size = Math.max(box.right - box.left, box.bottom - box.top);
    if (size < SMALL) continue;
    for (const outline of onScreen) {
      for (const [at, [x, y]] of outline.entries()) {
        if (at === 0) pen.moveTo(x, y);
        else pen.lineTo(x, y);
      }
      const first = outline[0];
      if (first !== undefined) pen.lineTo(first[0], first[1]);
    }
    if (size >= NAMED) names.push({ name: fence.name, x: (box.left + box.right) / 2, y: box.top - 6 });
  }
  return names;
}

/** A fence's outlines, in degrees. */
export function outlinesOf({ geometry, radius }: Fence): Position[][] {
  switch (geometry.type) {
    case "Point":
      return [circle(geometry.coordinates, radius ?? 0)];
    case "Polygon":
      return geometry.coordinates;
    case "MultiPolygon":
      return geometry.coordinates.flat();
    default:
      return [];
  }
}

function circle([lon, lat]: Position, radius: number): Position[] {
  const length = worldLength(radius, lat) * 360;
  const tall = (radius / 6_371_008.8) * (180 / Math.PI);
  return Array.from({ length: CIRCLE_CORNERS }, (_, at) => {
    const angle = (at / CIRCLE_CORNERS) * 2 * Math.PI;
    return [lon + Math.cos(angle) * length, lat + Math.sin(angle) * tall];
  });
}

function project(
  outline: Position[],
  view: View,
  box: { left: number; right: number; top: number; bottom: number },
): [number, number][] {
  const first = worldX(outline[0]?.[0] ?? 0);
  const firstX = screenX(view, first);
  const size = worldSize(view.zoom);
  return outline.map(([lon, lat]) => {
    const x = firstX + (nearest(worldX(lon), first) - first) * size;
    const y = screenY(view, worldY(lat));
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
    return [x, y];
  });
}
