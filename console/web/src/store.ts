// The fleet as the page knows it: one snapshot, then the stream's deltas, and a new snapshot whenever the stream may have
// left something out. Deltas that come while a snapshot is under way are kept and put on top of it.

import type { Api } from "./api.js";
import type { Delta, Fleet, Row, Session, StoryEntry } from "./api-types.js";
import { openStream, type StreamEvent, type StreamOptions } from "./stream.js";

/** live: what is shown is now; behind: a snapshot is being fetched; lost: the server does not answer. */
export type Live = "live" | "behind" | "lost";

type Listener<T> = (value: T) => void;

const ENTRIES = 500;

export class Store {
  live: Live = "behind";
  /** Why the stream is lost, as a sentence. */
  reason: string | null = null;
  /** The time in the history that is shown; null is now. */
  at: string | null = null;
  /** The newest happenings of the fleet, newest first. */
  entries: readonly StoryEntry[] = [];

  private current = new Map<string, Row>();
  private past: Map<string, Row> | null = null;
  private waiting: Delta[] | null = null;
  private clock = { data: Date.now(), wall: performance.now() };
  private wish = 0;
  private close: (() => void) | null = null;
  private again: ReturnType<typeof setTimeout> | null = null;

  private readonly rowListeners = new Set<Listener<ReadonlySet<string>>>();
  private readonly entryListeners = new Set<Listener<StoryEntry[]>>();
  private readonly statusListeners = new Set<Listener<void>>();

  constructor(
    private readonly api: Pick<Api, "session" | "fleet" | "stories">,
    public session: Session,
    private readonly options: StreamOptions = {},
  ) {
    this.setClock(session.time.now);
  }

  /** Begins to follow the fleet. */
  start(): void {
    this.close = openStream("api/live", {
      opened: () => void this.refresh(),
      event: (event) => this.take(event),
      lost: (reason) => this.setLive("lost", reason),
    }, this.options);
    void this.api.stories(ENTRIES).then((story) => this.addEntries(story.entries), () => undefined);
  }

  stop(): void {
    this.close?.();
    if (this.again !== null) clearTimeout(this.again);
  }

  /** What is shown: now, or the time in the history that was chosen. */
  rows(): ReadonlyMap<string, Row> {
    return this.past ?? this.current;
  }

  row(id: string): Row | undefined {
    return this.rows().get(id);
  }

  /** Calls with the IDs whose rows changed, came or went. */
  subscribe(listener: Listener<ReadonlySet<string>>): () => void {
    return listen(this.rowListeners, listener);
  }

  onEntries(listener: Listener<StoryEntry[]>): () => void {
    return listen(this.entryListeners, listener);
  }

  /** Calls when `live`, `at` or `session` changed. */
  onStatus(listener: Listener<void>): () => void {
    return listen(this.statusListeners, listener);
  }

  /** The time of what is shown, in ms since 1970: simulated time in a simulation. */
  now(): number {
    return this.at === null ? this.liveNow() : Date.parse(this.at);
  }

  /** The fleet's own time now, whatever is shown. */
  liveNow(): number {
    const { speed, isPaused } = this.session.time;
    const rate = isPaused ? 0 : speed === null ? 1 : speed * 3600;
    return this.clock.data + (performance.now() - this.clock.wall) * rate;
  }

  /** Shows the fleet as it was at a time (RFC 3339), or now. */
  async show(at: string | null): Promise<void> {
    const wish = ++this.wish;
    if (at === null) {
      const changed = this.past === null ? [] : [...this.past.keys(), ...this.current.keys()];
      this.past = null;
      this.at = null;
      this.tellStatus();
      this.tellRows(new Set(changed));
      return;
    }
    const fleet = await this.api.fleet(at);
    if (wish !== this.wish) return;
    const before = this.rows();
    this.past = byId(fleet.devices);
    this.at = at;
    this.tellStatus();
    this.tellRows(new Set([...before.keys(), ...this.past.keys()]));
  }

  /** Fetches all anew: after the stream began or left something out. */
  async refresh(): Promise<void> {
    if (this.waiting !== null) return;
    this.waiting = [];
    this.setLive("behind", null);
    try {
      const [fleet, session] = await Promise.all([this.api.fleet(), this.api.session()]);
      const waiting = this.waiting;
      this.waiting = null;
      this.setSession(session);
      this.replace(fleet, waiting);
      this.setLive("live", null);
    } catch (error) {
      this.waiting = null;
      this.setLive("lost", error instanceof Error ? error.message : null);
      this.again = setTimeout(() => void this.refresh(), this.options.retry?.longest ?? 5000);
    }
  }

  /** The session as the server told it just now. */
  setSession(session: Session): void {
    this.session = session;
    this.setClock(session.time.now);
    this.tellStatus();
  }

  private take(event: StreamEvent): void {
    if (event.event === "lagged") void this.refresh();
    else if (event.event === "session") void this.api.session().then((session) => this.setSession(session), () => undefined);
    else if (event.event === "delta") this.apply(JSON.parse(event.data) as Delta);
  }

  private apply(delta: Delta): void {
    this.addEntries(delta.entries);
    if (this.waiting !== null) {
      this.waiting.push(delta);
      return;
    }
    const { changed, isWhole } = merge(this.current, delta);
    this.setClock(delta.time);
    if (this.past === null) this.tellRows(changed);
    // A device that the snapshot did not know came without all its members.
    if (!isWhole) void this.refresh();
  }

  private replace(fleet: Fleet, waiting: Delta[]): void {
    const changed = new Set(this.current.keys());
    this.current = byId(fleet.devices);
    let time = fleet.time;
    for (const delta of waiting) {
      if (delta.time < fleet.time) continue;
      merge(this.current, delta);
      time = delta.time;
    }
    for (const id of this.current.keys()) changed.add(id);
    this.setClock(time);
    if (this.past === null) this.tellRows(changed);
  }

  private addEntries(entries: StoryEntry[]): void {
    const known = new Set(this.entries.map(identity));
    const fresh = entries.filter((entry) => !known.has(identity(entry)));
    if (fresh.length === 0) return;
    this.entries = [...fresh, ...this.entries].sort((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0)).slice(0, ENTRIES);
    for (const listener of this.entryListeners) listener(fresh);
  }

  private setClock(time: string): void {
    const data = Date.parse(time);
    if (Number.isFinite(data)) this.clock = { data, wall: performance.now() };
  }

  private setLive(live: Live, reason: string | null): void {
    if (this.live === live && this.reason === reason) return;
    this.live = live;
    this.reason = reason;
    this.tellStatus();
  }

  private tellRows(changed: ReadonlySet<string>): void {
    if (changed.size > 0) for (const listener of this.rowListeners) listener(changed);
  }

  private tellStatus(): void {
    for (const listener of this.statusListeners) listener();
  }
}

/** Puts a delta on top of rows; says which changed, and whether every new row came whole. */
function merge(rows: Map<string, Row>, delta: Delta): { changed: Set<string>; isWhole: boolean } {
  const changed = new Set<string>();
  let isWhole = true;
  for (const part of delta.devices) {
    const known = rows.get(part.id);
    if (known === undefined && part.state === undefined) {
      isWhole = false;
      continue;
    }
    rows.set(part.id, { ...(known ?? EMPTY), ...part });
    changed.add(part.id);
  }
  for (const id of delta.gone) if (rows.delete(id)) changed.add(id);
  return { changed, isWhole };
}

/** What tells a happening from others: one that the history has not kept yet has no number of its own. */
function identity({ device, time, kind, text }: StoryEntry): string {
  return [device, time, kind, text].join("\0");
}

function byId(devices: Row[]): Map<string, Row> {
  return new Map(devices.map((row) => [row.id, { ...EMPTY, ...row }]));
}

function listen<T>(listeners: Set<Listener<T>>, listener: Listener<T>): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const EMPTY: Row = {
  id: "", hub: null, state: "new", connection: "never", cargo: null, container: null, place: null, at: null, course: null,
  speed: null, temperature: null, humidity: null, pressure: null, door: null, spark: [], alarms: [], backlog: null,
  lastSeen: null, lastReading: null, firmware: null, certificateDays: null, enrollment: null, refusal: null, profile: null,
};
