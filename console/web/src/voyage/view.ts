// Which time is in view: a span in seconds since 1970, moved and scaled within the whole that there is.

import type { SeriesField } from "../api-types.js";

export interface View {
  from: number;
  to: number;
}

/** Seconds: nobody zooms in farther than this. */
export const SHORTEST = 60;

/** 2015: a device's clock that says an earlier time was never set. */
export const EARLIEST = Date.UTC(2015, 0, 1) / 1000;

/** The span kept inside the whole, no shorter than the shortest and no longer than the whole. */
export function within(view: View, whole: View): View {
  const length = Math.min(Math.max(view.to - view.from, SHORTEST), Math.max(whole.to - whole.from, SHORTEST));
  const middle = (view.from + view.to) / 2;
  const latest = Math.max(whole.from, whole.to - length);
  const from = Math.min(Math.max(middle - length / 2, whole.from), latest);
  return { from, to: from + length };
}

/** Scaled by a factor below 1 to see less time, above 1 to see more, about a time that stays where it is. */
export function zoomed(view: View, whole: View, factor: number, about?: number): View {
  const fixed = about ?? (view.from + view.to) / 2;
  const scaled = { from: fixed - (fixed - view.from) * factor, to: fixed + (view.to - fixed) * factor };
  if (scaled.to - scaled.from >= SHORTEST) return within(scaled, whole);
  return within({ from: fixed - SHORTEST / 2, to: fixed + SHORTEST / 2 }, whole);
}

/** Moved by a share of what is in view: negative to earlier. */
export function panned(view: View, whole: View, share: number): View {
  const step = (view.to - view.from) * share;
  return within({ from: view.from + step, to: view.to + step }, whole);
}

/** From one end of a brush to the other, whichever came first. */
export function brushed(a: number, b: number, whole: View): View {
  return within({ from: Math.min(a, b), to: Math.max(a, b) }, whole);
}

/** The last so many seconds of the whole. */
export function newest(whole: View, seconds: number): View {
  return within({ from: whole.to - seconds, to: whole.to }, whole);
}

/** Whether all there is is in view, to the second. */
export function isWhole(view: View, whole: View): boolean {
  return Math.abs(view.from - whole.from) < 1 && Math.abs(view.to - whole.to) < 1;
}

/**
 * What is in view when the whole has grown: whoever looks at all of it, or at the newest, goes on to do so; whoever looks back
 * is left in peace.
 */
export function followed(view: View | null, before: View | null, whole: View): View {
  if (view === null || before === null || isWhole(view, before)) return whole;
  if (Math.abs(view.to - before.to) >= 1) return view;
  return within({ from: view.from + whole.to - before.to, to: whole.to }, whole);
}

/** When it was measured first and last; what a clock of 1970 says is left out where there is anything else. */
export function voyage(first: string | null, last: string | null): { view: View; isCut: boolean } | null {
  const from = seconds(first);
  const to = seconds(last);
  if (from === null || to === null) return null;
  const isCut = from < EARLIEST && to >= EARLIEST;
  const begin = isCut ? EARLIEST : from;
  return { view: { from: begin, to: Math.max(to, begin + SHORTEST) }, isCut };
}

/** The whole beginning with the first value of any field. */
export function trimmed(whole: View, fields: Record<string, SeriesField>, step: number): View {
  let first = Infinity;
  for (const field of Object.values(fields)) {
    const index = field.mean.findIndex((value) => value !== null);
    first = Math.min(first, field.t[index] ?? Infinity);
  }
  return first === Infinity ? whole : { from: Math.min(Math.max(whole.from, first - step), whole.to), to: whole.to };
}

/** An RFC 3339 time in seconds since 1970; null where it is none. */
export function seconds(time: string | null | undefined): number | null {
  const parsed = time === null || time === undefined ? NaN : Date.parse(time);
  return Number.isNaN(parsed) ? null : parsed / 1000;
}

/** Seconds since 1970 as the API takes them. */
export function rfc3339(time: number): string {
  return new Date(time * 1000).toISOString();
}
