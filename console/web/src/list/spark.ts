// A temperature's last day as a small line. Where more is missing than usual there is a gap in it.

import { svg } from "../dom.js";
import { isNumber } from "../format.js";

export const SPARK_WIDTH = 76;
export const SPARK_HEIGHT = 22;
const PADDING = 2;
/** A flat line is not blown up to noise: the least span of the scale, °C. */
const LEAST_SPAN = 2;

export class Spark {
  private readonly line = svg("path", { class: "spark-line" });
  private readonly end = svg("circle", { class: "spark-end", r: 1.8 });
  readonly element = svg(
    "svg",
    { class: "spark", width: SPARK_WIDTH, height: SPARK_HEIGHT, viewBox: `0 0 ${SPARK_WIDTH} ${SPARK_HEIGHT}`, "aria-hidden": "true", focusable: "false" },
    this.line,
    this.end,
  );
  private shown: readonly (number | null)[] = [];

  update(values: readonly (number | null)[]): void {
    if (values === this.shown) return;
    this.shown = values;
    const points = sparkPoints(values);
    this.line.setAttribute("d", sparkPath(points));
    const last = points.at(-1);
    this.end.setAttribute("visibility", last == null ? "hidden" : "visible");
    if (last == null) return;
    this.end.setAttribute("cx", last[0].toFixed(1));
    this.end.setAttribute("cy", last[1].toFixed(1));
  }
}

type Point = readonly [x: number, y: number] | null;

export function sparkPoints(values: readonly (number | null)[]): Point[] {
  const known = values.filter(isNumber);
  if (known.length === 0) return [];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const span = Math.max(high - low, LEAST_SPAN);
  const bottom = (low + high) / 2 - span / 2;
  const step = (SPARK_WIDTH - 2 * PADDING) / Math.max(values.length - 1, 1);
  return values.map((value, at) =>
    isNumber(value)
      ? [PADDING + at * step, SPARK_HEIGHT - PADDING - ((value - bottom) / span) * (SPARK_HEIGHT - 2 * PADDING)]
      : null,
  );
}

export function sparkPath(points: readonly Point[]): string {
  const longest = longestStep(points);
  let path = "";
  let before = -Infinity;
  points.forEach((point, at) => {
    if (point === null) return;
    path += `${at - before <= longest ? "L" : "M"}${point[0].toFixed(1)} ${point[1].toFixed(1)}`;
    before = at;
  });
  return path;
}

/** What is further apart than half as much again as usual has a gap in between: a device may measure every few hours. */
function longestStep(points: readonly Point[]): number {
  const known = points.flatMap((point, at) => (point === null ? [] : [at]));
  const steps = known.slice(1).map((at, index) => at - (known[index] ?? at)).sort((a, b) => a - b);
  return 1.5 * (steps[Math.floor((steps.length - 1) / 2)] ?? 1);
}
