// A voyage as lines in a picture: which part of the world it takes, and its points in the picture's units.

import type { Position, TrackPoint } from "../api-types.js";
import { clampView, fitView, screenX, screenY, worldSize, worldX, worldY, type View } from "../map/projection.js";

/** No closer than this: some 40 m a pixel, a harbour in a small picture. */
const CLOSEST = 12;

/** The points that are places; null stays a gap. */
export function cleaned(points: TrackPoint[]): TrackPoint[] {
  return points.map((point) => (point !== null && isPlace(point[0], point[1]) ? point : null));
}

/** The view of a picture of this size that shows all of it, and where it is now. */
export function viewOf(points: TrackPoint[], at: Position | null, width: number, height: number): View {
  const places = points.filter((point) => point !== null).map(([lon, lat]): Position => [lon, lat]);
  if (at !== null && isPlace(at[0], at[1])) places.push(at);
  const xs = places.map(([lon]) => worldX(lon));
  const ys = places.map(([, lat]) => worldY(lat));
  return clampView(fitView({ x: 0.5, y: 0.4, zoom: 0, width, height }, xs, ys, Math.min(width, height) * 0.14, CLOSEST));
}

/** A place in the picture. */
export function placed(view: View, [lon, lat]: readonly [number, number, ...unknown[]]): [x: number, y: number] {
  return [screenX(view, worldX(lon)), screenY(view, worldY(lat))];
}

/** The track as SVG path data: solid where it was known, and the straight guesses over gaps. */
export function traced(points: TrackPoint[], view: View): { known: string; guessed: string } {
  let known = "";
  let guessed = "";
  let before: [number, number] | null = null;
  let isGap = false;
  const half = worldSize(view.zoom) / 2;
  for (const point of points) {
    if (point === null) {
      isGap = true;
      continue;
    }
    const here = placed(view, point);
    const text = `${round(here[0])} ${round(here[1])}`;
    // Over the picture's own edge of the world no line is drawn back through all of it.
    const wraps = before !== null && Math.abs(here[0] - before[0]) > half;
    if (before === null || wraps) known += `M${text}`;
    else if (isGap) {
      guessed += `M${round(before[0])} ${round(before[1])}L${text}`;
      known += `M${text}`;
    } else known += `L${text}`;
    before = here;
    isGap = false;
  }
  return { known, guessed };
}

/** Where it was at a time (seconds since 1970): the nearest known point, if that is within `most` seconds. */
export function at(points: TrackPoint[], time: number, most: number): TrackPoint {
  let found: TrackPoint = null;
  let distance = most;
  for (const point of points) {
    if (point === null || Math.abs(point[2] - time) > distance) continue;
    distance = Math.abs(point[2] - time);
    found = point;
  }
  return found;
}

/** First and last known point. */
export function ends(points: TrackPoint[]): { first: TrackPoint; last: TrackPoint } {
  return { first: points.find((point) => point !== null) ?? null, last: points.findLast((point) => point !== null) ?? null };
}

function isPlace(lon: number, lat: number): boolean {
  return Number.isFinite(lon) && Number.isFinite(lat) && Math.abs(lat) <= 90 && Math.abs(lon) <= 360;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
