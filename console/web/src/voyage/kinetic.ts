// Mean kinetic temperature: the one temperature that would have aged the goods as much as all that were measured.

import type { Columns } from "./columns.js";

/** ΔH/R in kelvin, with ΔH = 83.144 kJ/mol, as in the device's own reports. */
const ACTIVATION = 10_000;
const ZERO_CELSIUS = 273.15;

/** Of a temperature's means in °C, each weighing as long as it stands until the next; null where there is none. */
export function meanKinetic(data: Columns, step: number): number | null {
  let sum = 0;
  let weight = 0;
  for (const [index, time] of data.t.entries()) {
    const mean = data.mean[index] ?? null;
    if (mean === null || mean <= -ZERO_CELSIUS) continue;
    const next = data.t[index + 1];
    const held = Math.min(next === undefined ? step : next - time, step * 1.5);
    sum += held * Math.exp(-ACTIVATION / (mean + ZERO_CELSIUS));
    weight += held;
  }
  return weight === 0 ? null : ACTIVATION / -Math.log(sum / weight) - ZERO_CELSIUS;
}
