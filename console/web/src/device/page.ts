// One container: how it does, its voyage in charts and on a map, its story, its twin, and what can be asked of it.

import type { App } from "../app.js";
import type { Device, Fence, TrackPoint } from "../api-types.js";
import { h } from "../dom.js";
import { card } from "../parts/card.js";
import { Life, throttled } from "../parts/life.js";
import { isMissing, said } from "../parts/said.js";
import { picture } from "../track/picture.js";
import { Panel } from "./charts/panel.js";
import { commands } from "./commands.js";
import { evidencePart } from "./evidence.js";
import { header } from "./header.js";
import { HeldTwin } from "./held.js";
import { story } from "./story.js";
import { tripsPart } from "./trips.js";
import { twinPart } from "./twin/editor.js";

const TRACK_MS = 5000;
const TICK_MS = 1000;
const HOUR = 3600;

export function mount(root: HTMLElement, app: App, [id = ""]: string[]): () => void {
  const life = new Life();
  const page = h("div", { class: "page device-page", "data-testid": "device" }, h("p", { class: "muted", role: "status" }, "The container is being fetched…"));
  root.append(page);
  void app.api.device(id).then(
    (device) => !life.isOver && show(page, app, device, life),
    (error: unknown) => !life.isOver && page.replaceChildren(absent(id, error)),
  );
  return () => life.end();
}

function absent(id: string, error: unknown): HTMLElement {
  const text = isMissing(error) ? `There is no device ${id}.` : `The container can't be shown: ${said(error)}`;
  return h("div", { class: "empty", role: "alert" }, h("strong", {}, text), h("a", { href: "#/" }, "Go to the fleet"));
}

function show(page: HTMLElement, app: App, first: Device, life: Life): void {
  let device = first;
  const { id } = first.row;
  const held = new HeldTwin(app, id, life);
  const head = header(app, id);
  const charts = new Panel(app, id, life);
  const map = picture(app.format, 420, 300);
  const past = story(app, id, life, (time) => charts.show({ from: time - 6 * HOUR, to: time + 6 * HOUR }));

  charts.onPoint((time) => map.point(time));
  held.onChange(() => held.twin !== null && charts.setTwin(held.twin));

  page.replaceChildren(
    head.element,
    h("div", { class: "device-columns" },
      card("Voyage", { class: "voyage" }, charts.element),
      h("div", { class: "device-side" }, card("Track", { testid: "track" }, map.element), past.element)),
    tripsPart(app, id, life),
    twinPart(app, id, held, life),
    h("div", { class: "device-columns even" }, ...commands(app, id, life)),
    evidencePart(app, id, life, () => charts.span()),
  );

  let isKnown = false;
  const update = (): void => {
    const row = app.store.row(id);
    if (row === undefined) {
      if (isKnown && app.store.at === null) head.gone();
      return;
    }
    isKnown = true;
    head.update(row, device);
    const last = app.store.at ?? later(device.last, row.lastReading);
    const fields = device.fields.length > 0 ? device.fields : fieldsOf(row);
    charts.update(fields, device.first ?? row.lastReading, last);
  };
  head.update(first.row, first);
  update();
  followTrack(app, id, life, map.set);
  void held.fetch();

  const refetch = throttled(life, TRACK_MS, () => {
    void app.api.device(id).then((fresh) => {
      const isNew = fresh.fields.join() !== device.fields.join();
      device = fresh;
      if (isNew) update();
    }, () => undefined);
  });
  life.add(app.store.subscribe((changed) => {
    if (!changed.has(id)) return;
    update();
    refetch();
  }));
  life.add(app.store.onStatus(update));
  life.every(TICK_MS, head.tick);
}

/** Keeps the small map as new as the container's row. */
function followTrack(app: App, id: string, life: Life, set: (points: TrackPoint[], now: [number, number] | null, fences: Fence[]) => void): void {
  let fences: Fence[] = [];
  const fetchTrack = async (): Promise<void> => {
    const track = await app.api.track(id, { to: app.store.at }, 800).catch(() => null);
    if (life.isOver || track === null) return;
    set(track.points, app.store.row(id)?.at ?? null, fences.filter((fence) => fence.device === null || fence.device === id));
  };
  void app.api.places().then((places) => {
    fences = places.fences;
  }, () => undefined).then(fetchTrack);
  const again = throttled(life, TRACK_MS, () => void fetchTrack());
  life.add(app.store.subscribe((changed) => changed.has(id) && again()));
}

/** The fields of a row, as long as the server knows of no history. */
function fieldsOf(row: Device["row"]): string[] {
  return (["temperature", "humidity", "pressure", "speed"] as const).filter((field) => row[field] !== null);
}

function later(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? b : a;
}
