// Alarm spans as what a person reads of them: when, how long, how far.

import type { AlarmSpan, Severity } from "../api-types.js";
import { seconds, type View } from "./view.js";

export interface Excursion {
  name: string;
  field: string | null;
  severity: Severity;
  /** Seconds since 1970. */
  from: number;
  to: number;
  /** It began before the time that was asked for. */
  isCutBefore: boolean;
  /** It lasts, or ends after the time that was asked for. */
  isOpen: boolean;
  extreme: number | null;
  limit: number | null;
}

/** The spans that touch a time, cut to it, earliest first. What has no beginning that is a time is left out. */
export function excursions(spans: AlarmSpan[], view: View): Excursion[] {
  const found: Excursion[] = [];
  for (const span of spans) {
    const begin = seconds(span.begin);
    if (begin === null) continue;
    const end = seconds(span.end);
    const last = end === null ? Infinity : Math.max(end, begin);
    if (begin > view.to || last < view.from) continue;
    found.push({
      name: span.name,
      field: span.field,
      severity: span.severity,
      from: Math.max(begin, view.from),
      to: Math.min(last, view.to),
      isCutBefore: begin < view.from,
      isOpen: last > view.to,
      extreme: finite(span.extreme),
      limit: finite(span.limit),
    });
  }
  return found.sort((a, b) => a.from - b.from || a.name.localeCompare(b.name));
}

/** Seconds in which at least one of them lasted. */
export function together(all: Excursion[]): number {
  let total = 0;
  let reached = -Infinity;
  for (const { from, to } of [...all].sort((a, b) => a.from - b.from)) {
    total += Math.max(0, to - Math.max(from, reached));
    reached = Math.max(reached, to);
  }
  return total;
}

function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}
