// The mock's trip reports, in the shape of the device's own.

import { iso } from "./fleet.mjs";

const DAY = 86_400_000;

export function trips(mock, device) {
  const { time } = mock.fleet;
  const { row } = device;
  if (row.state === "new") return [];
  return [
    report(row, { name: "Rotterdam – Singapore 47", first: time - 19 * DAY, last: time, isUnderWay: true }),
    report(row, { name: "", first: time - 60 * DAY, last: time - 30 * DAY }),
  ];
}

function report(row, { name, first, last, isUnderWay }) {
  const { low, high } = row.profile;
  const seconds = (last - first) / 1000;
  const bound = (limit, beyond) => ({ limit, beyondSeconds: beyond, longestBeyondSeconds: beyond * 0.8, longestBeyondFrom: iso(first + 10 * DAY), longestWithinSeconds: seconds / 2, longestWithinFrom: iso(first), ...(beyond > 0 ? { partlyBeyondSeconds: 1200 } : {}) });
  return {
    trip: name, by: name === "" ? "provisioning" : "method", gapAfter: 900,
    bounds: { temperature: { low, high, criticalLow: low - 1, criticalHigh: high + 3 }, humidity: { high: 90 } },
    calibration: { bme280: { date: "2026-05-04", certificate: "DE-K-17-2231", offsets: { temperature: -0.12 } } },
    ...(row.container ? { containerNumber: row.container } : {}),
    readings: 6048, first: iso(first), last: iso(last),
    gaps: { count: 2, longestSeconds: 91_000, totalSeconds: 97_400, ofUnknownLength: 0 },
    temperature: {
      min: { value: low - 0.3, time: iso(first + 3 * DAY) }, max: { value: high + 3.1, time: iso(first + 10.2 * DAY) }, mean: low + 2.11, seconds: seconds - 97_400,
      low: bound(low, 0), high: bound(high, 34_500), criticalLow: bound(low - 1, 0), criticalHigh: bound(high + 3, 1500),
      mkt: low + 2.32, mkt24h: { value: high + 1.24, from: iso(first + 10 * DAY) }, mkt30d: { value: low + 2.32, from: iso(first) },
    },
    humidity: { min: { value: 58.1, time: iso(first + 2 * DAY) }, max: { value: 88.4, time: iso(first + 5 * DAY) }, mean: 70.4, seconds: seconds - 97_400, high: bound(90, 0) },
    doorOpenings: 2, distanceKm: 9214.3, ...(isUnderWay ? { isUnderWay } : {}),
  };
}
