// What agents do under trouble, told apart from what they did before: backlogs over time, and how often they came back.

import type { Row, StoryEntry } from "../api-types.js";

export interface Watched {
  id: string;
  /** Backlogs, one a sample, the newest last; null where it is not known. */
  backlogs: (number | null)[];
  reconnects: number;
  isStruck: boolean;
}

const SAMPLES = 120;
const ORDER = new Intl.Collator(undefined, { numeric: true });

export class Watch {
  private readonly known = new Map<string, Watched>();
  private readonly connected = new Map<string, boolean>();

  /** Whom a fault strikes now; whoever was struck stays watched. */
  strike(ids: Iterable<string>): void {
    for (const watched of this.known.values()) watched.isStruck = false;
    for (const id of ids) this.of(id).isStruck = true;
  }

  /** Looks at the fleet as it is now. A device that never reported a backlog and is not struck is not watched. */
  sample(rows: Iterable<Row>): void {
    for (const row of rows) {
      if (!this.known.has(row.id) && (row.backlog ?? 0) <= MOST_USUAL) continue;
      const watched = this.of(row.id);
      watched.backlogs.push(row.backlog);
      if (watched.backlogs.length > SAMPLES) watched.backlogs.shift();
    }
  }

  /** Counts those who are connected and were not. */
  rows(rows: Iterable<Row>): void {
    for (const row of rows) {
      const isConnected = row.connection === "connected";
      if (isConnected && this.connected.get(row.id) === false) this.of(row.id).reconnects += 1;
      this.connected.set(row.id, isConnected);
    }
  }

  forget(ids: Iterable<string>): void {
    for (const id of ids) this.known.delete(id);
  }

  /** The watched, those struck first, then by backlog. */
  list(): Watched[] {
    return [...this.known.values()].sort((a, b) => Number(b.isStruck) - Number(a.isStruck) || (last(b) ?? 0) - (last(a) ?? 0) || ORDER.compare(a.id, b.id));
  }

  private of(id: string): Watched {
    let watched = this.known.get(id);
    if (watched === undefined) this.known.set(id, (watched = { id, backlogs: [], reconnects: 0, isStruck: false }));
    return watched;
  }
}

/** Readings that are on their way anyway. */
const MOST_USUAL = 32;

function last(watched: Watched): number | null {
  return watched.backlogs.at(-1) ?? null;
}

/** A small line of values in a box of this size, the highest at its top; gaps where nothing is known. */
export function spark(values: readonly (number | null)[], width: number, height: number): string {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return "";
  const most = Math.max(...known, 1);
  const step = values.length < 2 ? 0 : width / (values.length - 1);
  let path = "";
  let isDown = false;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      isDown = false;
      continue;
    }
    path += `${isDown ? "L" : "M"}${(index * step).toFixed(1)} ${(height - (value / most) * height).toFixed(1)}`;
    isDown = true;
  }
  return path;
}

/** Whom a fault's targets are, of these devices. */
export function struck(devices: string[] | "all", all: Iterable<string>): string[] {
  return devices === "all" ? [...all] : devices;
}

/** The latest entry of each device about its connection. */
export function latest(entries: readonly StoryEntry[]): Map<string, StoryEntry> {
  const found = new Map<string, StoryEntry>();
  for (const entry of entries) {
    const before = found.get(entry.device);
    if ((entry.kind === "connection" || entry.kind === "takeover" || entry.kind === "refusal") && (before === undefined || before.time < entry.time)) found.set(entry.device, entry);
  }
  return found;
}
