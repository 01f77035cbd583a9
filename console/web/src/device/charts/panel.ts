// The charts of one container over its voyage: the same time in all of them, one cursor, zoomed by brush, buttons or keys.

import type { App } from "../../app.js";
import type { Series, Twin } from "../../api-types.js";
import { h, setText } from "../../dom.js";
import { fill } from "../../parts/card.js";
import { throttled, type Life } from "../../parts/life.js";
import { said } from "../../parts/said.js";
import { excursions, type Excursion } from "../../voyage/excursions.js";
import { limits, member, type Limit } from "../../voyage/limits.js";
import * as voyage from "../../voyage/view.js";
import type { View } from "../../voyage/view.js";
import { CHARTED, words } from "../../voyage/words.js";
import { timeLabels, zoneName } from "./axis.js";
import { Chart, GUTTER } from "./chart.js";
import { controls, KEYS_TOLD, keys, type Acts } from "./controls.js";
import { lanes } from "./lanes.js";

const REFETCH_MS = 1500;
const CUT = "Readings of a clock that was never set (before 2015) are left out here; the download has them.";

export class Panel {
  readonly element: HTMLElement;
  private readonly charts = new Map<string, Chart>();
  private readonly place = h("div", { class: "charts" });
  private readonly beneath = h("div", {});
  private readonly clock = h("p", { class: "charts-clock muted small" });
  private readonly spoken = h("p", { class: "visually-hidden", "aria-live": "polite" });
  private readonly note = h("p", { class: "muted small charts-note", role: "status" });
  private readonly bar = controls(this.acts());
  private readonly labels;
  private readonly refetch: () => void;
  private readonly pointListeners: ((time: number | null) => void)[] = [];

  /** All that there is, and what is in view of it; null before the first reading. */
  private whole: View | null = null;
  private view: View | null = null;
  private isCut = false;
  private isTrimmed = false;
  private fields: string[] = [];
  private series: Series | null = null;
  private spans: Excursion[] = [];
  private limits: Limit[] = [];
  private pointed: number | null = null;
  /** Counts what was asked for: an answer to an older wish comes too late. */
  private wish = 0;

  constructor(private readonly app: App, private readonly id: string, private readonly life: Life) {
    this.labels = timeLabels(app.format.locale, app.format.timeZone);
    this.refetch = throttled(life, REFETCH_MS, () => void this.fetch());
    const keyed = h("div", { class: "charts-keys", tabindex: 0, role: "group", "aria-label": KEYS_TOLD, "data-testid": "charts" }, this.place, this.beneath);
    keyed.addEventListener("keydown", (event) => keys(event, this.acts()));
    this.element = h("div", { class: "panel" }, this.bar.element, this.clock, keyed, this.spoken, this.note);
    this.watch();
  }

  onPoint(listener: (time: number | null) => void): void {
    this.pointListeners.push(listener);
  }

  /** What is in view, for downloads. */
  span(): { from: string; to: string } | null {
    return this.view === null ? null : { from: voyage.rfc3339(this.view.from), to: voyage.rfc3339(this.view.to) };
  }

  /** Shows a time. */
  show(view: View): void {
    if (this.whole !== null) this.set(voyage.within(view, this.whole));
  }

  setTwin(twin: Twin): void {
    this.limits = limits(this.app.store.row(this.id)?.profile ?? null, member(twin.properties.desired, "alarms"));
    this.draw();
  }

  /** There are these fields, from the first reading to the last. */
  update(wanted: string[], first: string | null, last: string | null): void {
    const found = voyage.voyage(first, last);
    const fields = CHARTED.filter((field) => wanted.includes(field));
    if (found === null || fields.length === 0) {
      this.place.replaceChildren(nothing(this.app));
      return;
    }
    const before = this.whole;
    this.isCut = found.isCut;
    this.whole = this.isTrimmed && before !== null ? { from: before.from, to: found.view.to } : found.view;
    this.view = voyage.followed(this.view, before, this.whole);
    if (fields.join() !== this.fields.join()) {
      this.build(fields);
      this.set(this.view);
    } else {
      this.bar.update(this.view, this.whole);
      this.refetch();
    }
  }

  private acts(): Acts {
    const go = (next: (view: View, whole: View) => View): void => {
      if (this.view !== null && this.whole !== null) this.set(next(this.view, this.whole));
    };
    return {
      zoom: (factor) => go((view, whole) => voyage.zoomed(view, whole, factor, this.pointed ?? undefined)),
      pan: (share) => go((view, whole) => voyage.panned(view, whole, share)),
      reset: () => go((_, whole) => whole),
      newest: (seconds) => go((_, whole) => voyage.newest(whole, seconds)),
      point: (share) => this.pointBy(share),
    };
  }

  private watch(): void {
    const observer = new ResizeObserver(() => {
      for (const chart of this.charts.values()) chart.resize();
      this.drawLanes();
      this.refetch();
    });
    observer.observe(this.place);
    this.life.add(() => {
      observer.disconnect();
      for (const chart of this.charts.values()) chart.destroy();
    });
    this.life.on(matchMedia("(prefers-color-scheme: dark)"), "change", () => {
      for (const chart of this.charts.values()) chart.recolour();
    });
  }

  private build(fields: string[]): void {
    this.fields = fields;
    for (const chart of this.charts.values()) chart.destroy();
    this.charts.clear();
    for (const [index, field] of fields.entries()) {
      const isLast = index === fields.length - 1;
      this.charts.set(field, new Chart({
        field, labels: this.labels, format: this.app.format, key: `device-${this.id}`,
        height: field === "temperature" ? 260 : isLast ? 142 : 100,
        hasAxis: field === "temperature" || isLast,
        brushed: (from, to) => this.whole !== null && this.set(voyage.brushed(from, to, this.whole)),
        reset: () => this.acts().reset(),
        pointed: (time) => this.tellPoint(time),
      }));
    }
    this.place.replaceChildren(...[...this.charts.values()].map((chart) => chart.element));
  }

  private set(view: View): void {
    this.view = view;
    for (const chart of this.charts.values()) chart.show(view);
    this.drawLanes();
    this.showClock();
    if (this.whole !== null) this.bar.update(view, this.whole);
    void this.fetch();
  }

  /** Fetches what is in view, with about a point for each pixel. */
  private async fetch(): Promise<void> {
    const view = this.view;
    if (view === null || this.fields.length === 0) return;
    const mine = ++this.wish;
    const span = { from: voyage.rfc3339(view.from), to: voyage.rfc3339(view.to) };
    const points = this.charts.values().next().value?.width ?? 800;
    try {
      const [series, alarms] = await Promise.all([this.app.api.series(this.id, this.fields, span, points), this.app.api.alarms(this.id, span)]);
      if (this.life.isOver || mine !== this.wish) return;
      this.series = series;
      this.spans = excursions(alarms.spans, view);
      this.trim(series);
      this.draw();
    } catch (error) {
      if (!this.life.isOver && mine === this.wish) setText(this.note, `The charts can't be fetched: ${said(error)}`);
    }
  }

  /** Where a clock that was never set is left out, the voyage begins with the first reading that has a time. */
  private trim(series: Series): void {
    if (!this.isCut || this.isTrimmed || this.whole === null) return;
    this.isTrimmed = true;
    this.whole = voyage.trimmed(this.whole, series.fields, series.step);
    this.set(this.whole);
  }

  private draw(): void {
    if (this.view === null) return;
    for (const [field, chart] of this.charts) {
      chart.set(this.series?.fields[field], this.view, this.limits, this.spans.filter((span) => (span.field ?? span.name) === field));
    }
    this.drawLanes();
    this.showClock();
    setText(this.note, this.isCut ? CUT : "");
  }

  private drawLanes(): void {
    const width = this.charts.values().next().value?.width;
    if (this.view === null || width === undefined) return;
    const others = this.spans.filter((span) => !this.charts.has(span.field ?? span.name));
    fill(this.beneath, lanes(others, this.view, GUTTER, width, this.app.format));
  }

  private pointBy(share: number): void {
    if (this.view === null) return;
    const length = this.view.to - this.view.from;
    const wished = (this.pointed ?? this.view.to - length / 2) + length * share;
    const time = Math.min(Math.max(wished, this.view.from), this.view.to);
    this.charts.values().next().value?.point(time);
    const values = [...this.charts].map(([field, chart]) => `${words(field).name} ${chart.tell(time)}`);
    setText(this.spoken, `${this.app.format.both(time * 1000)}: ${values.join("; ")}`);
  }

  private tellPoint(time: number | null): void {
    this.pointed = time;
    this.showClock();
    for (const listener of this.pointListeners) listener(time);
  }

  private showClock(): void {
    const { view, pointed } = this;
    const { format } = this.app;
    if (pointed !== null) setText(this.clock, format.both(pointed * 1000));
    else if (view !== null) setText(this.clock, `${format.time(view.from * 1000)} to ${format.time(view.to * 1000)} (${zoneName(format.locale, format.timeZone)}), ${format.duration(view.to - view.from)}`);
  }
}

function nothing(app: App): HTMLElement {
  const { isAvailable, reason } = app.session.telemetry;
  const text = isAvailable ? "Charts begin with its first reading." : (reason ?? "This console receives no readings.");
  return h("div", { class: "empty" }, h("strong", {}, "No reading has arrived yet."), h("p", {}, text));
}
