// The fleet as the map has it: places, tails and fences, kept true to the store, and laid out for a zoom.

import type { App } from "../app.js";
import { LOOKS, type Look } from "../states.js";
import { isMotionReduced } from "../motion.js";
import { layout, levelOf, type Cluster, type Layout } from "./clusters.js";
import type { Scene } from "./ground.js";
import type { Drawn } from "./markers.js";
import { Points } from "./points.js";
import { shortestSpan, worldSize, type View } from "./projection.js";
import { Tails } from "./tails.js";

const WAY_MS = 480;
/** A way of fewer pixels is a step, one of more a jump: neither is animated. */
const LEAST_WAY = 1.2;
const LONGEST_WAY = 400;
/** The most tail places asked for in all; a great fleet gets shorter tails. */
const TAIL_BUDGET = 60_000;

export class Fleet {
  readonly points = new Points(isMotionReduced() ? 0 : WAY_MS);
  readonly scene: Scene = { rings: [], fences: [], tails: new Tails(), shown: [] };
  layout: Layout = { singles: [], clusters: [] };
  /** Whether the last layout shows other tails than the one before. */
  didSceneChange = false;
  private isStale = true;
  private level = -1;
  private shown: ReadonlySet<string> | null = null;
  private shownKey: string | null = null;
  private tailsOf: string | null | undefined = undefined;
  private readonly endings: (() => void)[] = [];

  constructor(private readonly app: App, private readonly view: () => View, private readonly changed: () => void) {
    const { store } = app;
    this.take(new Set(store.rows().keys()));
    this.endings.push(store.subscribe((ids) => this.take(ids)), store.onStatus(() => this.follow()));
    this.follow();
    app.api.places().then(({ fences }) => {
      this.scene.fences = fences;
      this.isStale = true;
      this.shownKey = null;
      this.changed();
    }, () => undefined);
  }

  filter(shown: ReadonlySet<string> | null): void {
    this.shown = shown;
    this.isStale = true;
  }

  destroy(): void {
    for (const end of this.endings) end();
  }

  /** Lays out anew where something changed; true if so. */
  layOut(zoom: number): boolean {
    const level = levelOf(zoom);
    if (!this.isStale && level === this.level) return false;
    this.isStale = false;
    this.level = level;
    const { shown, points } = this;
    this.layout = layout(points, zoom, shown === null ? null : (index) => shown.has(points.ids[index] ?? ""));
    this.scene.shown = this.layout.singles.map(({ index }) => ({ id: points.ids[index] ?? "", look: points.looks[index] ?? 0 }));
    const key = this.scene.shown.map(({ id, look }) => `${id}\0${look}`).join("\0");
    this.didSceneChange = key !== this.shownKey;
    this.shownKey = key;
    return true;
  }

  /** What grew on the tails of drawn devices since the ground was drawn, by look. */
  tailEnds(drawn: readonly Drawn[], view: View): Map<Look, Path2D> {
    const paths = new Map<Look, Path2D>();
    for (const { id, x, y } of drawn) {
      if (id === null) continue;
      const look = LOOKS[this.points.looks[this.points.indexOf(id) ?? 0] ?? 0] ?? "ok";
      let path = paths.get(look);
      if (path === undefined) paths.set(look, (path = new Path2D()));
      this.scene.tails.traceEnd(id, view, x, y, path);
    }
    return paths;
  }

  places(): { xs: number[]; ys: number[] } {
    const { points, shown } = this;
    const [xs, ys]: [number[], number[]] = [[], []];
    for (const [index, id] of points.ids.entries()) {
      if (shown !== null && !shown.has(id)) continue;
      xs.push(points.toX[index] ?? 0);
      ys.push(points.toY[index] ?? 0);
    }
    return { xs, ys };
  }

  placeOf(id: string): { x: number; y: number } | null {
    const index = this.points.indexOf(id);
    return index === undefined ? null : { x: this.points.toX[index] ?? 0, y: this.points.toY[index] ?? 0 };
  }

  members(cluster: Cluster): { xs: number[]; ys: number[]; ids: string[] } {
    const { points } = this;
    return {
      xs: cluster.members.map((index) => points.toX[index] ?? 0),
      ys: cluster.members.map((index) => points.toY[index] ?? 0),
      ids: cluster.members.map((index) => points.ids[index] ?? ""),
    };
  }

  /** Whether places are one even at the nearest zoom a cluster is opened to. */
  isOnePlace(xs: number[], ys: number[]): boolean {
    const least = 8 / worldSize(13);
    return shortestSpan(xs).width < least && Math.max(...ys) - Math.min(...ys) < least;
  }

  /** Why the map is empty, as a sentence; null where it is not. */
  emptiness(): string | null {
    if (this.points.size > 0) {
      return this.shown !== null && this.layout.singles.length + this.layout.clusters.length === 0
        ? "None of the containers that were searched for has a position." : null;
    }
    if (this.app.store.rows().size === 0) return null;
    const { telemetry } = this.app.session;
    if (!telemetry.isAvailable) return telemetry.reason ?? "This hub gives no telemetry: positions are not known.";
    return "No container has sent its position yet.";
  }

  private take(ids: ReadonlySet<string>): void {
    const { store } = this.app;
    const size = worldSize(this.view().zoom);
    const now = performance.now();
    let isChanged = false;
    for (const id of ids) {
      const row = store.row(id);
      if (row === undefined) {
        this.scene.tails.remove(id);
        isChanged = this.points.remove(id) || isChanged;
        continue;
      }
      const moved = this.points.set(row, now, LEAST_WAY / size, LONGEST_WAY / size);
      isChanged ||= moved;
      if (moved && row.at !== null && store.at === null && this.tailsOf === null) this.scene.tails.append(id, row.at);
    }
    if (!isChanged) return;
    this.isStale = true;
    this.changed();
  }

  /** Fetches the tails that belong to the time that is shown. */
  private follow(): void {
    const { store, api } = this.app;
    if (store.at === null && store.live !== "live") {
      // What the stream leaves out is missing in the tails too.
      this.tailsOf = undefined;
      return;
    }
    const at = store.at;
    if (this.tailsOf === at) return;
    this.tailsOf = at;
    if (store.rows().size === 0) return;
    const points = Math.max(8, Math.min(60, Math.floor(TAIL_BUDGET / store.rows().size)));
    api.tails(points, at).then(({ tails }) => {
      if (this.tailsOf !== at) return;
      this.scene.tails.replace(tails);
      this.isStale = true;
      this.shownKey = null;
      this.changed();
    }, () => undefined);
  }
}
