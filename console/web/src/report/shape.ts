// A field's course as SVG path data.

import type { Columns } from "../voyage/columns.js";

export interface Scales {
  x(time: number): number;
  y(value: number): number;
}

/** A linear scale from one span to another. */
export function linear(low: number, high: number, from: number, to: number): (value: number) => number {
  const span = high - low;
  return (value) => (span === 0 ? (from + to) / 2 : from + ((value - low) / span) * (to - from));
}

/** The mean as a line that breaks at gaps; a value alone between gaps is a short stroke. */
export function line(data: Columns, { x, y }: Scales): string {
  let path = "";
  let isDown = false;
  for (const [index, time] of data.t.entries()) {
    const mean = data.mean[index] ?? null;
    if (mean === null) {
      isDown = false;
      continue;
    }
    const place = `${fixed(x(time))} ${fixed(y(mean))}`;
    const isAlone = !isDown && (data.mean[index + 1] ?? null) === null;
    path += isDown ? `L${place}` : isAlone ? `M${place}h.6` : `M${place}`;
    isDown = true;
  }
  return path;
}

/** What lay between minimum and maximum, a closed shape between gaps. */
export function spread(data: Columns, { x, y }: Scales): string {
  let path = "";
  let run: number[] = [];
  const close = (): void => {
    if (run.length > 1) {
      const top = run.map((index) => `${fixed(x(data.t[index] ?? 0))} ${fixed(y(data.max[index] ?? 0))}`);
      const bottom = [...run].reverse().map((index) => `${fixed(x(data.t[index] ?? 0))} ${fixed(y(data.min[index] ?? 0))}`);
      path += `M${[...top, ...bottom].join("L")}Z`;
    }
    run = [];
  };
  for (const index of data.t.keys()) {
    if ((data.mean[index] ?? null) === null) close();
    else run.push(index);
  }
  close();
  return path;
}

function fixed(value: number): string {
  return value.toFixed(1);
}
