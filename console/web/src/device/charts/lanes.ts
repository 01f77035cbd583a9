// Alarms that belong to no chart, each in a lane of its own beneath the charts' time: a door, a receiver, a sensor.

import { h, svg } from "../../dom.js";
import type { Format } from "../../format.js";
import type { Excursion } from "../../voyage/excursions.js";
import type { View } from "../../voyage/view.js";
import { alarmName } from "../../voyage/words.js";

const BAR = 10;

/** Lanes with their bars, in the order of their first alarm. */
export function lanesOf(spans: Excursion[]): { name: string; spans: Excursion[] }[] {
  const lanes = new Map<string, Excursion[]>();
  for (const span of spans) lanes.set(span.name, [...(lanes.get(span.name) ?? []), span]);
  return [...lanes].map(([name, own]) => ({ name, spans: own }));
}

/** `left` and `width`: where the charts' own plot lies, in pixels. */
export function lanes(spans: Excursion[], view: View, left: number, width: number, format: Format): HTMLElement | null {
  const all = lanesOf(spans);
  if (all.length === 0 || view.to <= view.from) return null;
  const rows = all.map((lane) => {
    const bars = lane.spans.map((span) => bar(span, view, left, width, format));
    const drawing = svg("svg", { class: "lane", width: left + width, height: BAR + 4, role: "img", "aria-label": told(lane.name, lane.spans, format) }, svg("path", { class: "lane-line", d: `M${left} ${BAR / 2 + 2}h${width}` }), ...bars);
    return h("div", {}, h("h3", { class: "lane-name" }, alarmName(lane.name)), drawing);
  });
  return h("div", { class: "lanes" }, ...rows);
}

function bar(span: Excursion, view: View, left: number, width: number, format: Format): SVGElement {
  const x = (time: number): number => left + ((Math.min(Math.max(time, view.from), view.to) - view.from) / (view.to - view.from)) * width;
  const [from, to] = [x(span.from), x(span.to)];
  const title = svg("title", {}, `${span.severity}, from ${format.both(span.from * 1000)}, ${format.duration(span.to - span.from)}`);
  return svg("rect", { class: `lane-bar lane-${span.severity}`, x: from.toFixed(1), y: 2, width: Math.max(to - from, 3).toFixed(1), height: BAR, rx: span.severity === "critical" ? 0 : 3 }, title);
}

function told(name: string, spans: Excursion[], format: Format): string {
  const first = spans[0];
  if (first === undefined) return name;
  const rest = spans.length > 1 ? ` and ${spans.length - 1} more` : "";
  return `${alarmName(name)}: ${first.severity}, from ${format.both(first.from * 1000)}, ${format.duration(first.to - first.from)}${rest}`;
}
