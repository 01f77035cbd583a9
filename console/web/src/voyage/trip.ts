// A trip's report as the device makes it, read member by member: what is missing or of another kind is null.

import type { Json, TripReport } from "../api-types.js";
import { limitsOfTrip, isObject, member, type Limit } from "./limits.js";
import { CHARTED } from "./words.js";

export interface Extreme {
  value: number;
  time: string | null;
}

export interface BoundReport {
  name: "low" | "high" | "criticalLow" | "criticalHigh";
  limit: number | null;
  beyondSeconds: number | null;
  longestBeyondSeconds: number | null;
  longestBeyondFrom: string | null;
  partlyBeyondSeconds: number | null;
}

export interface FieldReport {
  name: string;
  min: Extreme | null;
  max: Extreme | null;
  mean: number | null;
  seconds: number | null;
  mkt: number | null;
  /** The worst 24 hours and 30 days on end. */
  mkt24h: { value: number; from: string | null } | null;
  mkt30d: { value: number; from: string | null } | null;
  bounds: BoundReport[];
}

export interface Trip {
  /** By which it is named in an address. */
  key: string;
  name: string;
  by: string | null;
  isUnderWay: boolean;
  isEarlier: boolean;
  first: string | null;
  last: string | null;
  readings: number | null;
  gapAfter: number | null;
  gaps: { count: number | null; longestSeconds: number | null; totalSeconds: number | null; ofUnknownLength: number | null };
  containerNumber: string | null;
  calibration: { name: string; text: string }[];
  limits: Limit[];
  fields: FieldReport[];
  doorOpenings: number | null;
  distanceKm: number | null;
}

const BOUNDS = ["low", "high", "criticalLow", "criticalHigh"] as const;

/** The trips of a device, the one under way first, then the latest. */
export function trips(reports: TripReport[]): Trip[] {
  const read = reports.filter(isObject).map(trip);
  return read.sort((a, b) => Number(b.isUnderWay) - Number(a.isUnderWay) || (b.last ?? "").localeCompare(a.last ?? ""));
}

/** One report. */
export function trip(report: TripReport): Trip {
  const gaps = member(report, "gaps");
  const name = text(member(report, "trip")) ?? "";
  const first = text(member(report, "first"));
  return {
    key: first ?? name,
    name,
    by: text(member(report, "by")),
    isUnderWay: member(report, "isUnderWay") === true,
    isEarlier: member(report, "earlier") === true,
    first,
    last: text(member(report, "last")),
    readings: number(member(report, "readings")),
    gapAfter: number(member(report, "gapAfter")),
    gaps: {
      count: number(member(gaps, "count")),
      longestSeconds: number(member(gaps, "longestSeconds")),
      totalSeconds: number(member(gaps, "totalSeconds")),
      ofUnknownLength: number(member(gaps, "ofUnknownLength")),
    },
    containerNumber: text(member(report, "containerNumber")),
    calibration: flat(member(report, "calibration")),
    limits: limitsOfTrip(member(report, "bounds")),
    fields: fields(report),
    doorOpenings: number(member(report, "doorOpenings")),
    distanceKm: number(member(report, "distanceKm")),
  };
}

/** The trip that an address names: by the time of its first reading, or by its name. */
export function find(all: Trip[], key: string): Trip | undefined {
  return all.find((trip) => trip.key === key) ?? all.find((trip) => trip.name === key);
}

/** A field's report is an object that knows how long the field was known. */
function fields(report: TripReport): FieldReport[] {
  const found: FieldReport[] = [];
  for (const [name, value] of Object.entries(report)) {
    if (!isObject(value) || !Object.hasOwn(value, "seconds") || !Object.hasOwn(value, "min")) continue;
    found.push({
      name,
      min: extreme(value["min"]),
      max: extreme(value["max"]),
      mean: number(value["mean"]),
      seconds: number(value["seconds"]),
      mkt: number(value["mkt"]),
      mkt24h: worst(value["mkt24h"]),
      mkt30d: worst(value["mkt30d"]),
      bounds: BOUNDS.flatMap((bound) => boundReport(bound, value[bound])),
    });
  }
  return found.sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
}

function rank(field: string): number {
  const at = (CHARTED as readonly string[]).indexOf(field);
  return at < 0 ? CHARTED.length : at;
}

function boundReport(name: BoundReport["name"], value: Json | undefined): BoundReport[] {
  if (!isObject(value)) return [];
  const seconds = (which: string): number | null => number(value[which]);
  return [
    {
      name,
      limit: seconds("limit"),
      beyondSeconds: seconds("beyondSeconds"),
      longestBeyondSeconds: seconds("longestBeyondSeconds"),
      longestBeyondFrom: text(value["longestBeyondFrom"]),
      partlyBeyondSeconds: seconds("partlyBeyondSeconds"),
    },
  ];
}

function extreme(value: Json | undefined): Extreme | null {
  const found = number(member(value, "value"));
  return found === null ? null : { value: found, time: text(member(value, "time")) };
}

function worst(value: Json | undefined): { value: number; from: string | null } | null {
  const found = number(member(value, "value"));
  return found === null ? null : { value: found, from: text(member(value, "from")) };
}

/** What is known of the calibration, one line each: `bme280.date`. */
function flat(value: Json | undefined, before = ""): { name: string; text: string }[] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = before === "" ? name : `${before}.${name}`;
    if (isObject(inner)) return flat(inner, path);
    return [{ name: path, text: typeof inner === "string" ? inner : JSON.stringify(inner) }];
  });
}

function number(value: Json | undefined): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function text(value: Json | undefined): string | null {
  return typeof value === "string" ? value : null;
}
