// Mercator, in units of the world: x grows from 0 at 180° west to 1 at 180° east, y from 0 at 85.05° north to 1 in the south.
// The world repeats in x, so a place has many x; which one is meant is always said by what lies near it.

/** Where Mercator's square ends, degrees. */
export const LAST_LATITUDE = 85.0511;
/** The world's width at zoom 0, CSS pixels. */
export const TILE = 256;
export const MAX_ZOOM = 16;
const EQUATOR_M = 40_075_016.686;

export function worldX(lon: number): number {
  return (lon + 180) / 360;
}

export function worldY(lat: number): number {
  const clipped = Math.max(-LAST_LATITUDE, Math.min(LAST_LATITUDE, lat));
  const sine = Math.sin((clipped * Math.PI) / 180);
  return 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
}

export function longitude(x: number): number {
  return (x - Math.floor(x)) * 360 - 180;
}

export function latitude(y: number): number {
  return (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
}

/** The x that means the same place as `x` and is nearest to `near`: no step is longer than half the world. */
export function nearest(x: number, near: number): number {
  return x - Math.round(x - near);
}

/** What the map shows: the place in its middle, how far in, and its size in CSS pixels. */
export interface View {
  x: number;
  y: number;
  zoom: number;
  width: number;
  height: number;
}

/** CSS pixels of the whole world's width. */
export function worldSize(zoom: number): number {
  return TILE * 2 ** zoom;
}

export function screenX(view: View, x: number): number {
  return (nearest(x, view.x) - view.x) * worldSize(view.zoom) + view.width / 2;
}

export function screenY(view: View, y: number): number {
  return (y - view.y) * worldSize(view.zoom) + view.height / 2;
}

/** The farthest out a view may be: the world is never narrower than the view, so that nothing is seen twice. */
export function minZoom(width: number): number {
  return Math.log2(Math.max(width, TILE) / TILE);
}

/** How far a view may go beyond the north's and the south's edge, world units. */
const BEYOND_POLES = 0.12;

/** The view within the world: zoom in its limits, and not much of what lies beyond the poles. */
export function clampView(view: View): View {
  const zoom = Math.max(minZoom(view.width), Math.min(MAX_ZOOM, view.zoom));
  const half = view.height / 2 / worldSize(zoom);
  const [first, last] = [half - BEYOND_POLES, 1 - half + BEYOND_POLES];
  const y = first >= last ? 0.5 : Math.max(first, Math.min(last, view.y));
  return { ...view, zoom, y, x: view.x - Math.floor(view.x) };
}

/** The view after zooming by `by` with the place at a pixel kept where it is. */
export function zoomAbout(view: View, by: number, pixelX: number, pixelY: number): View {
  const zoom = Math.max(minZoom(view.width), Math.min(MAX_ZOOM, view.zoom + by));
  const [before, after] = [worldSize(view.zoom), worldSize(zoom)];
  const [dx, dy] = [pixelX - view.width / 2, pixelY - view.height / 2];
  return clampView({ ...view, zoom, x: view.x + dx / before - dx / after, y: view.y + dy / before - dy / after });
}

export function panBy(view: View, pixelsX: number, pixelsY: number): View {
  const size = worldSize(view.zoom);
  return clampView({ ...view, x: view.x + pixelsX / size, y: view.y + pixelsY / size });
}

/** The view that shows all places (world units), `padding` pixels from its edges. */
export function fitView(view: View, xs: number[], ys: number[], padding: number, maxZoom: number): View {
  if (xs.length === 0) return clampView({ ...view, x: worldX(10), y: worldY(25), zoom: 0 });
  const { middle, width } = shortestSpan(xs);
  const [top, bottom] = [Math.min(...chunked(ys, Math.min)), Math.max(...chunked(ys, Math.max))];
  const zoomX = Math.log2(Math.max(view.width - 2 * padding, 32) / (Math.max(width, 1e-9) * TILE));
  const zoomY = Math.log2(Math.max(view.height - 2 * padding, 32) / (Math.max(bottom - top, 1e-9) * TILE));
  return clampView({ ...view, x: middle, y: (top + bottom) / 2, zoom: Math.min(zoomX, zoomY, maxZoom) });
}

/** The shortest part of the round world that holds all `xs`: over the Pacific if that is shorter. */
export function shortestSpan(xs: number[]): { middle: number; width: number } {
  const sorted = Float64Array.from(xs, (x) => x - Math.floor(x)).sort();
  const last = sorted[sorted.length - 1] ?? 0;
  let gap = (sorted[0] ?? 0) + 1 - last;
  let begin = sorted[0] ?? 0;
  for (let index = 1; index < sorted.length; index += 1) {
    const here = sorted[index] ?? 0;
    const step = here - (sorted[index - 1] ?? 0);
    if (step > gap) [gap, begin] = [step, here];
  }
  const width = 1 - gap;
  const middle = begin + width / 2;
  return { middle: middle - Math.floor(middle), width };
}

/** Metres of one CSS pixel in the view's middle. */
export function metresPerPixel(view: View): number {
  return (EQUATOR_M * Math.cos((latitude(view.y) * Math.PI) / 180)) / worldSize(view.zoom);
}

/** World units of a length in metres at a latitude. */
export function worldLength(metres: number, lat: number): number {
  return metres / (EQUATOR_M * Math.max(0.05, Math.cos((lat * Math.PI) / 180)));
}

/** A function of many numbers on more numbers than may be handed to it at once. */
function chunked(values: number[], pick: (...values: number[]) => number): number[] {
  const picked: number[] = [];
  for (let at = 0; at < values.length; at += 1000) picked.push(pick(...values.slice(at, at + 1000)));
  return picked;
}
