// What a report is made of, fetched at once: the trip, its readings, its track, its alarms and its story.

import type { App } from "../app.js";
import type { Device, Series, StoryEntry, TrackPoint, Verdict } from "../api-types.js";
import { reason } from "../parts/reasons.js";
import { said } from "../parts/said.js";
import { excursions, type Excursion } from "../voyage/excursions.js";
import { limits, member, type Limit } from "../voyage/limits.js";
import { find, trips, type Trip } from "../voyage/trip.js";
import { rfc3339, seconds, voyage, type View } from "../voyage/view.js";

export interface Material {
  device: Device;
  trips: Trip[];
  /** Null where no trip is reported, or none was asked for: then it is the whole voyage. */
  trip: Trip | null;
  view: View | null;
  series: Series | null;
  track: TrackPoint[];
  excursions: Excursion[];
  entries: StoryEntry[];
  limits: Limit[];
  verdict: Verdict | { why: string };
  /** What could not be fetched, as sentences. */
  faults: string[];
}

const POINTS = 1400;
const STORY_PAGES = 5;

/** Without a `key` the trip under way, or the latest. */
export async function material(app: App, id: string, key: string | null): Promise<Material> {
  const faults: string[] = [];
  const orElse = <T>(what: string, promise: Promise<T>, otherwise: T): Promise<T> =>
    promise.catch((error: unknown) => {
      faults.push(`${what}: ${said(error)}`);
      return otherwise;
    });
  const [device, reports] = await Promise.all([app.api.device(id), orElse("Trip reports", app.api.trips(id), { trips: [] })]);
  const all = trips(reports.trips);
  const trip = key === null ? (all[0] ?? null) : (find(all, key) ?? null);
  if (key !== null && key !== "whole" && trip === null) faults.push(`No trip ${key} is reported; this is the whole voyage`);
  const view = span(trip) ?? voyage(device.first ?? device.row.lastReading, device.last ?? device.row.lastReading)?.view ?? null;
  const asked = view === null ? {} : { from: rfc3339(view.from), to: rfc3339(view.to) };
  const fields = device.fields.filter((field) => ["temperature", "humidity"].includes(field));
  const [series, track, alarms, entries, twin, verdict] = await Promise.all([
    view === null || fields.length === 0 ? null : orElse("Readings", app.api.series(id, fields, asked, POINTS), null),
    orElse("Track", app.api.track(id, asked, 1200), { points: [] }),
    view === null ? { spans: [] } : orElse("Alarms", app.api.alarms(id, asked), { spans: [] }),
    orElse("Story", doors(app, id, view), []),
    trip === null ? app.api.twin(id).catch(() => null) : null,
    check(app, id),
  ]);
  return {
    device, trips: all, trip, view, series, entries, faults, verdict,
    track: track.points,
    excursions: view === null ? [] : excursions(alarms.spans, view),
    limits: trip?.limits ?? limits(device.row.profile, member(twin?.properties.desired, "alarms")),
  };
}

function span(trip: Trip | null): View | null {
  const [from, to] = [seconds(trip?.first), seconds(trip?.last)];
  return from === null || to === null ? null : { from, to: Math.max(to, from + 60) };
}

/** Happenings at the door within the time, as far back as a few pages of the story go. */
async function doors(app: App, id: string, view: View | null): Promise<StoryEntry[]> {
  const found: StoryEntry[] = [];
  let before: string | null = null;
  for (let page = 0; page < STORY_PAGES; page += 1) {
    const { entries, next } = await app.api.story(id, before, 400);
    found.push(...entries);
    const oldest = seconds(entries.at(-1)?.time);
    if (next === null || (view !== null && oldest !== null && oldest < view.from)) break;
    before = String(next);
  }
  const isWithin = (time: number | null): boolean => time !== null && (view === null || (time >= view.from && time <= view.to));
  return found.filter((entry) => entry.kind === "door" && isWithin(seconds(entry.time))).reverse();
}

async function check(app: App, id: string): Promise<Material["verdict"]> {
  const unable = reason(app.session, "verify");
  if (unable !== null) return { why: unable };
  return app.api.verify(id).catch((error: unknown) => ({ why: `The check could not be made: ${said(error)}` }));
}
