// Mean kinetic temperature: the one temperature that would have aged the goods as much as all that were measured.

import type { Columns } from "./columns.js";

/** ΔH/R in kelvin, with ΔH = 83.144 kJ/mol, as in the device's own reports. */
const ACTIVATION = 10_000;
const ZERO_CELSIUS = 273.15;

/** A value stands no longer than so many usual distances: what follows is a gap. */
const LONGEST = 3;

/**
 * Of a temperature's means in °C, each weighing as long as it stands until the next; null where there is none.
 * `step`: seconds of a point, 0 where points are single readings.
 */
export function meanKinetic(data: Columns, step: number): number | null {
  const usual = step > 0 ? step : median(data.t);
  let sum = 0;
  let weight = 0;
  for (const [index, time] of data.t.entries()) {
    const mean = data.mean[index] ?? null;
    if (mean === null || mean <= -ZERO_CELSIUS) continue;
    const next = data.t[index + 1];
    const held = Math.min(next === undefined ? usual : next - time, usual * LONGEST);
    sum += held * Math.exp(-ACTIVATION / (mean + ZERO_CELSIUS));
    weight += held;
  }
  return weight === 0 ? null : ACTIVATION / -Math.log(sum / weight) - ZERO_CELSIUS;
}

/** The usual distance of times. */
function median(times: number[]): number {
  const distances = times.slice(1).map((time, index) => time - (times[index] ?? 0)).sort((a, b) => a - b);
  return distances[distances.length >> 1] ?? 1;
}
