// A field's series made fit to be drawn: times that ascend, and null wherever there is no number.

import type { SeriesField } from "../api-types.js";
import type { View } from "./view.js";

export type Values = (number | null)[];

export interface Columns {
  /** Seconds since 1970, ascending. */
  t: number[];
  min: Values;
  max: Values;
  mean: Values;
  /** Whether minimum and maximum differ anywhere: only then is there a band to draw. */
  isAggregated: boolean;
}

export interface Extent {
  min: number;
  mean: number;
  max: number;
}

/** The columns of a field; what is not finite is a gap, and a time that does not ascend is left out. */
export function columns(field: SeriesField | undefined): Columns {
  const kept: Columns = { t: [], min: [], max: [], mean: [], isAggregated: false };
  if (field === undefined) return kept;
  for (const [index, time] of field.t.entries()) {
    if (!Number.isFinite(time) || time <= (kept.t.at(-1) ?? -Infinity)) continue;
    const mean = number(field.mean[index]);
    const min = mean === null ? null : (number(field.min[index]) ?? mean);
    const max = mean === null ? null : (number(field.max[index]) ?? mean);
    kept.t.push(time);
    kept.mean.push(mean);
    kept.min.push(min);
    kept.max.push(max);
    if (min !== max) kept.isAggregated = true;
  }
  return kept;
}

/** Indices of values that stand alone between gaps: a line would not show them. */
export function alone(values: Values): number[] {
  const found: number[] = [];
  for (const [index, value] of values.entries()) {
    const isFirst = (values[index - 1] ?? null) === null;
    const isLast = (values[index + 1] ?? null) === null;
    if (value !== null && isFirst && isLast) found.push(index);
  }
  return found;
}

/** The extremes and the plain mean of what is in view; null where nothing is. */
export function extent(data: Columns, view: View): Extent | null {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  let count = 0;
  for (const [index, time] of data.t.entries()) {
    const mean = data.mean[index] ?? null;
    if (mean === null || time < view.from || time > view.to) continue;
    min = Math.min(min, data.min[index] ?? mean);
    max = Math.max(max, data.max[index] ?? mean);
    sum += mean;
    count += 1;
  }
  return count === 0 ? null : { min, mean: sum / count, max };
}

/** Spans of nulls between values, and from the last value on: [begin, end] in seconds since 1970. */
export function gaps(data: Columns, longerThan = 0): [number, number][] {
  const found: [number, number][] = [];
  let before: number | null = null;
  let isGap = false;
  for (const [index, time] of data.t.entries()) {
    if ((data.mean[index] ?? null) === null) {
      isGap = true;
      continue;
    }
    if (isGap && before !== null && time - before > longerThan) found.push([before, time]);
    before = time;
    isGap = false;
  }
  return found;
}

/** The index of the value nearest to a time; null where it falls into a gap or there is none. */
export function nearest(data: Columns, time: number): number | null {
  let low = 0;
  let high = data.t.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((data.t[middle] ?? Infinity) < time) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  const after = low;
  const distance = (index: number): number => Math.abs((data.t[index] ?? Infinity) - time);
  const index = distance(before) <= distance(after) ? before : after;
  return (data.mean[index] ?? null) === null ? null : index;
}

/** The values' axis: the data and the limits near to it, with room; never flat. */
export function scale(data: Extent | null, limits: number[], least: number): [low: number, high: number] {
  if (data === null) {
    const low = Math.min(...limits, limits.length === 0 ? 0 : Infinity);
    const high = Math.max(...limits, limits.length === 0 ? least : -Infinity);
    return widened(low, high, least);
  }
  const reach = Math.max(data.max - data.min, least) * 1.5;
  const near = limits.filter((limit) => limit > data.min - reach && limit < data.max + reach);
  return widened(Math.min(data.min, ...near), Math.max(data.max, ...near), least);
}

function widened(low: number, high: number, least: number): [number, number] {
  const missing = Math.max(0, least - (high - low)) / 2;
  const room = (high - low + 2 * missing) * 0.08;
  return [low - missing - room, high + missing + room];
}

function number(value: number | null | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}
