// The charts of one container over its voyage: the same time in all of them, one cursor, zoomed by brush, buttons or keys.

import type { App } from "../../app.js";
import type { Series, Twin } from "../../api-types.js";
import { h, setText } from "../../dom.js";
import { said } from "../../parts/said.js";
import { throttled, type Life } from "../../parts/life.js";
import { excursions, type Excursion } from "../../voyage/excursions.js";
import { limits, member, type Limit } from "../../voyage/limits.js";
import * as voyage from "../../voyage/view.js";
import type { View } from "../../voyage/view.js";
import { CHARTED, words } from "../../voyage/words.js";
import { timeLabels, zoneName } from "./axis.js";
import { Chart } from "./chart.js";
import { controls, KEYS_TOLD, keys } from "./controls.js";

export interface Panel {
  element: HTMLElement;
  /** What is in view, for downloads. */
  span(): { from: string; to: string } | null;
  /** The device, its first and last reading, or its row has changed. */
  update(fields: string[], first: string | null, last: string | null): void;
  setTwin(twin: Twin): void;
  /** Shows this time. */
  show(view: View): void;
  onPoint(listener: (time: number | null) => void): void;
  onView(listener: (view: View, whole: View) => void): void;
}

const REFETCH_MS = 1500;

export function panel(app: App, id: string, life: Life): Panel {
  const charts = new Map<string, Chart>();
  const place = h("div", { class: "charts" });
  const note = h("p", { class: "muted small charts-note", role: "status" });
  const spoken = h("p", { class: "visually-hidden", "aria-live": "polite" });
  const clock = h("p", { class: "charts-clock muted small" });
  const pointListeners: ((time: number | null) => void)[] = [];
  const viewListeners: ((view: View, whole: View) => void)[] = [];
  const labels = timeLabels(app.format.locale, app.format.timeZone);
  let whole: View | null = null;
  let view: View | null = null;
  let isTrimmed = false;
  let isCut = false;
  let fields: string[] = [];
  let series: Series | null = null;
  let spans: Excursion[] = [];
  let bounds: Limit[] = [];
  let twin: Twin | null = null;
  let pointed: number | null = null;
  let wish = 0;

  const acts = {
    zoom: (factor: number) => whole && view && show(voyage.zoomed(view, whole, factor, pointed ?? undefined)),
    pan: (share: number) => whole && view && show(voyage.panned(view, whole, share)),
    reset: () => whole && show(whole),
    newest: (seconds: number) => whole && show(voyage.newest(whole, seconds)),
    point: (share: number) => {
      if (view === null) return;
      const length = view.to - view.from;
      const time = (pointed ?? view.to - length / 2) + length * share;
      pointAt(Math.min(Math.max(time, view.from), view.to));
    },
  };
  const bar = controls(acts);
  const keyed = h("div", { class: "charts-keys", tabindex: 0, role: "group", "aria-label": KEYS_TOLD, "data-testid": "charts" }, place);
  keyed.addEventListener("keydown", (event) => keys(event, acts));
  const element = h("div", { class: "panel" }, bar.element, clock, keyed, spoken, note);

  function pointAt(time: number): void {
    const first = charts.values().next().value;
    first?.point(time);
    const values = [...charts.entries()].map(([field, chart]) => `${words(field).name} ${chart.tell(time)}`);
    setText(spoken, `${app.format.both(time * 1000)}: ${values.join("; ")}`);
  }

  function tellPoint(time: number | null): void {
    pointed = time;
    showClock();
    for (const listener of pointListeners) listener(time);
  }

  function showClock(): void {
    if (view === null) return;
    const { format } = app;
    if (pointed !== null) setText(clock, format.both(pointed * 1000));
    else setText(clock, `${format.time(view.from * 1000)} to ${format.time(view.to * 1000)} (${zoneName(format.locale, format.timeZone)}), ${format.duration(view.to - view.from)}`);
  }

  function show(next: View): void {
    view = next;
    for (const chart of charts.values()) chart.show(next);
    showClock();
    if (whole !== null) {
      bar.update(next, whole);
      for (const listener of viewListeners) listener(next, whole);
    }
    void fetchSeries();
  }

  function draw(): void {
    if (view === null) return;
    for (const [field, chart] of charts) {
      const own = spans.filter((span) => span.field === field || (span.field === null && span.name === field));
      chart.set(series?.fields[field], view, bounds, own);
    }
    const others = spans.filter((span) => !charts.has(span.field ?? span.name)).length;
    setText(note, [cutText(isCut), others > 0 ? `${others === 1 ? "One alarm" : `${app.format.number(others)} alarms`} of other kinds in view: see the story.` : ""].filter(Boolean).join(" "));
  }

  async function fetchSeries(): Promise<void> {
    if (view === null || fields.length === 0) return;
    const asked = view;
    const mine = ++wish;
    const span = { from: voyage.rfc3339(asked.from), to: voyage.rfc3339(asked.to) };
    const points = [...charts.values()][0]?.width ?? 800;
    try {
      const [answer, alarms] = await Promise.all([app.api.series(id, fields, span, points), app.api.alarms(id, span)]);
      if (life.isOver || mine !== wish) return;
      series = answer;
      spans = excursions(alarms.spans, asked);
      if (isCut && !isTrimmed && whole !== null) {
        isTrimmed = true;
        whole = voyage.trimmed(whole, answer.fields, answer.step);
        show(whole);
      }
      draw();
    } catch (error) {
      if (!life.isOver && mine === wish) setText(note, `The charts can't be fetched: ${said(error)}`);
    }
  }
  const refetch = throttled(life, REFETCH_MS, () => void fetchSeries());

  function build(wanted: string[]): void {
    fields = CHARTED.filter((field) => wanted.includes(field));
    for (const chart of charts.values()) chart.destroy();
    charts.clear();
    for (const [index, field] of fields.entries()) {
      charts.set(field, new Chart({
        field, labels, format: app.format, key: `device-${id}`,
        height: field === "temperature" ? 260 : index === fields.length - 1 ? 142 : 100,
        hasAxis: field === "temperature" || index === fields.length - 1,
        brushed: (from, to) => whole && show(voyage.brushed(from, to, whole)),
        reset: acts.reset,
        pointed: tellPoint,
      }));
    }
    place.replaceChildren(...[...charts.values()].map((chart) => chart.element));
  }

  function update(wanted: string[], first: string | null, last: string | null): void {
    const found = voyage.voyage(first, last);
    if (found === null || wanted.length === 0) {
      place.replaceChildren(nothing(app));
      return;
    }
    const known = CHARTED.filter((field) => wanted.includes(field));
    const isFresh = known.join() !== fields.join();
    if (isFresh) build(wanted);
    const before = whole;
    isCut = found.isCut;
    whole = isTrimmed && before !== null ? { from: before.from, to: found.view.to } : found.view;
    // Whoever looks at the newest goes on to see the newest; whoever looks back is left in peace.
    if (view === null || before === null || voyage.isWhole(view, before)) view = whole;
    else if (Math.abs(view.to - before.to) < 1) view = { from: view.from + whole.to - before.to, to: whole.to };
    if (isFresh) show(view);
    else {
      bar.update(view, whole);
      refetch();
    }
  }

  const observer = new ResizeObserver(() => {
    for (const chart of charts.values()) chart.resize();
    refetch();
  });
  observer.observe(place);
  life.add(() => observer.disconnect());
  life.on(matchMedia("(prefers-color-scheme: dark)"), "change", () => {
    for (const chart of charts.values()) chart.recolour();
  });
  life.add(() => {
    for (const chart of charts.values()) chart.destroy();
  });

  return {
    element,
    span: () => (view === null ? null : { from: voyage.rfc3339(view.from), to: voyage.rfc3339(view.to) }),
    update,
    setTwin(next) {
      twin = next;
      bounds = limits(app.store.row(id)?.profile ?? null, member(twin.properties.desired, "alarms"));
      draw();
    },
    show: (next) => whole && show(voyage.within(next, whole)),
    onPoint: (listener) => pointListeners.push(listener),
    onView: (listener) => viewListeners.push(listener),
  };
}

function cutText(isCut: boolean): string {
  return isCut ? "Readings of a clock that was never set (before 2015) are left out here; the download has them." : "";
}

function nothing(app: App): HTMLElement {
  const { isAvailable, reason } = app.session.telemetry;
  const text = isAvailable ? "Charts begin with its first reading." : (reason ?? "This console receives no readings.");
  return h("div", { class: "empty" }, h("strong", {}, "No reading has arrived yet."), h("p", {}, text));
}
