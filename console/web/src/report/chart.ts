// A chart for paper: lines only, black on white, limits and excursions told by pattern.

import { svg } from "../dom.js";
import type { Format } from "../format.js";
import { extent, gaps, scale, type Columns } from "../voyage/columns.js";
import type { Excursion } from "../voyage/excursions.js";
import type { Limit } from "../voyage/limits.js";
import type { View } from "../voyage/view.js";
import { words } from "../voyage/words.js";
import { line, linear, spread, type Scales } from "./shape.js";
import { ticks, timeTicks } from "./ticks.js";

export interface PaperChart {
  field: string;
  data: Columns;
  view: View;
  limits: Limit[];
  excursions: Excursion[];
  height: number;
  format: Format;
}

const WIDTH = 700;
const LEFT = 46;
const RIGHT = 64;
const TOP = 8;
const BOTTOM = 32;

export function paperChart(chart: PaperChart): SVGSVGElement {
  const { data, view, limits, height, format, field } = chart;
  const told = words(field);
  const found = extent(data, view);
  const [low, high] = scale(found, limits.map((limit) => limit.value), told.least);
  const [right, bottom] = [WIDTH - RIGHT, height - BOTTOM];
  const scales: Scales = { x: linear(view.from, view.to, LEFT, right), y: linear(low, high, bottom, TOP) };
  const label =
    found === null
      ? `${told.name}: no values`
      : `${told.name}: ${format.number(found.min, told.digits)} to ${format.quantity(found.max, told.unit, told.digits)}`;
  return svg(
    "svg",
    { class: "paper-chart", "data-testid": `chart-${field}`, viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label },
    patterns(),
    ...missing(chart, scales, bottom),
    ...grid(chart, scales, low, high, right, bottom),
    ...alarms(chart, scales, bottom),
    svg("path", { class: "paper-spread", d: spread(data, scales) }),
    svg("path", { class: "paper-line", d: line(data, scales) }),
    ...limitLines(chart, scales, low, high, right),
    svg("path", { class: "paper-frame", d: `M${LEFT} ${TOP}V${bottom}H${right}` }),
    svg("text", { class: "paper-label", x: LEFT, y: height - 3 }, `Times in UTC. ${told.unit}`),
  );
}

function patterns(): SVGElement {
  const hatch = (id: string, d: string): SVGElement =>
    svg("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, svg("path", { d, class: "paper-hatch" }));
  return svg("defs", {}, hatch("paper-warning", "M0 6L6 0"), hatch("paper-critical", "M0 6L6 0M0 0L6 6"));
}

function grid({ view, format, field }: PaperChart, { x, y }: Scales, low: number, high: number, right: number, bottom: number): SVGElement[] {
  const parts: SVGElement[] = [];
  const values = ticks(low, high, 7);
  const digits = (values[1] ?? 1) - (values[0] ?? 0) >= 1 ? 0 : Math.max(1, words(field).digits);
  for (const value of values) {
    parts.push(svg("path", { class: "paper-grid", d: `M${LEFT} ${y(value).toFixed(1)}H${right}` }));
    parts.push(svg("text", { class: "paper-number", x: LEFT - 6, y: (y(value) + 3).toFixed(1) }, format.number(value, digits)));
  }
  const { times, step } = timeTicks(view.from, view.to, 10);
  for (const time of times) {
    parts.push(svg("path", { class: "paper-grid", d: `M${x(time).toFixed(1)} ${TOP}V${bottom}` }));
    parts.push(svg("text", { class: "paper-time", x: x(time).toFixed(1), y: bottom + 13 }, utcLabel(time, step, format.locale)));
  }
  return parts;
}

function utcLabel(time: number, step: number, locale: string | undefined): string {
  const day = { day: "numeric", month: "short", timeZone: "UTC" } as const;
  const clock = { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: "UTC" } as const;
  const options = step >= 28 * 86_400 ? ({ month: "short", year: "numeric", timeZone: "UTC" } as const) : step >= 86_400 ? day : time % 86_400 === 0 ? day : clock;
  return new Intl.DateTimeFormat(locale, options).format(time * 1000);
}

function missing({ data }: PaperChart, { x }: Scales, bottom: number): SVGElement[] {
  return gaps(data).flatMap(([from, to]) => {
    const width = x(to) - x(from);
    const shade = svg("rect", { class: "paper-gap", x: x(from).toFixed(1), y: TOP, width: width.toFixed(1), height: bottom - TOP });
    const text = svg("text", { class: "paper-time", x: ((x(from) + x(to)) / 2).toFixed(1), y: bottom - 5 }, "no readings");
    return width > 60 ? [shade, text] : [shade];
  });
}

function alarms({ excursions }: PaperChart, { x }: Scales, bottom: number): SVGElement[] {
  return excursions.flatMap((excursion, index) => {
    const [from, width] = [x(excursion.from), Math.max(x(excursion.to) - x(excursion.from), 1.5)];
    const box = { x: from.toFixed(1), y: TOP, width: width.toFixed(1), height: bottom - TOP };
    return [
      svg("rect", { class: `paper-alarm paper-${excursion.severity}`, fill: `url(#paper-${excursion.severity})`, ...box }),
      svg("text", { class: "paper-mark", x: (from + width / 2).toFixed(1), y: TOP + 9 }, String(index + 1)),
    ];
  });
}

function limitLines({ limits, format, field }: PaperChart, { y }: Scales, low: number, high: number, right: number): SVGElement[] {
  const told = words(field);
  let before = -Infinity;
  return [...limits].sort((a, b) => b.value - a.value).flatMap((limit) => {
    if (limit.value < low || limit.value > high) return [];
    const line = svg("path", { class: `paper-limit paper-limit-${limit.severity}`, d: `M${LEFT} ${y(limit.value).toFixed(1)}H${right}` });
    // Labels of near limits move apart.
    const at = Math.max(y(limit.value) + 3, before + 10);
    before = at;
    const text = `${limit.side === "high" ? "≤" : "≥"} ${format.quantity(limit.value, told.unit, told.digits)}`;
    return [line, svg("text", { class: "paper-limit-label", x: right + 4, y: at.toFixed(1) }, text)];
  });
}
