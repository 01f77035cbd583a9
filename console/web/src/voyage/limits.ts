// Within what a field should stay: by the profile of the goods and by the bounds that the twin sets.

import type { Json, Profile, Severity } from "../api-types.js";

export interface Limit {
  field: string;
  severity: Severity;
  side: "low" | "high";
  value: number;
}

/** The limits in force. A bound of the twin goes before the profile's alarm of the same name, which is its field's. */
export function limits(profile: Profile | null, alarms: Json | undefined): Limit[] {
  const found: Limit[] = [];
  const bounds = member(alarms, "bounds");
  if (profile !== null && member(bounds, "temperature") === undefined) {
    push(found, "temperature", "warning", { low: profile.low, high: profile.high });
  }
  if (!isObject(bounds)) return found;
  for (const bound of Object.values(bounds)) {
    const field = member(bound, "field");
    if (typeof field !== "string") continue;
    push(found, field, "warning", member(bound, "warning"));
    push(found, field, "critical", member(bound, "critical"));
  }
  return found;
}

/** The limits by which a trip is measured: the member `bounds` of its report. */
export function limitsOfTrip(bounds: Json | undefined): Limit[] {
  const found: Limit[] = [];
  if (!isObject(bounds)) return found;
  for (const [field, bound] of Object.entries(bounds)) {
    push(found, field, "warning", bound);
    push(found, field, "critical", {
      low: member(bound, "criticalLow") ?? null,
      high: member(bound, "criticalHigh") ?? null,
    });
  }
  return found;
}

/** What lies within the limits of a severity: from the highest lower one to the lowest upper one; null is open. */
export function band(all: Limit[], severity: Severity): { low: number | null; high: number | null } {
  const of = (side: Limit["side"]): number[] =>
    all.filter((limit) => limit.severity === severity && limit.side === side).map((limit) => limit.value);
  const lows = of("low");
  const highs = of("high");
  return {
    low: lows.length === 0 ? null : Math.max(...lows),
    high: highs.length === 0 ? null : Math.min(...highs),
  };
}

/** A member of what may be an object. */
export function member(value: Json | undefined, name: string): Json | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

export function isObject(value: unknown): value is { [member: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function push(found: Limit[], field: string, severity: Severity, bound: Json | undefined): void {
  for (const side of ["low", "high"] as const) {
    const value = member(bound, side);
    if (typeof value === "number" && Number.isFinite(value)) found.push({ field, severity, side, value });
  }
}
