// Round numbers along an axis.

/** Round values from low to high, some `count` of them. */
export function ticks(low: number, high: number, count: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return Number.isFinite(low) ? [low] : [];
  const rough = span / Math.max(count, 1);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const found: number[] = [];
  const first = Math.ceil(low / step - 1e-9);
  for (let index = first; index * step <= high + step * 1e-9; index += 1) found.push(Number((index * step).toPrecision(12)));
  return found;
}

const DAY = 86_400;
const STEPS = [60, 300, 900, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 5 * DAY, 7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 365 * DAY];

/** Times (seconds since 1970, UTC) along an axis, at full hours or days. */
export function timeTicks(from: number, to: number, count: number): { times: number[]; step: number } {
  const rough = (to - from) / Math.max(count, 1);
  const step = STEPS.find((candidate) => candidate >= rough) ?? 365 * DAY;
  const times: number[] = [];
  if (!(to > from)) return { times, step };
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) times.push(time);
  return { times, step };
}
