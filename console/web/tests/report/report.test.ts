import assert from "node:assert/strict";
import { test } from "node:test";
import { line, linear, spread } from "../../src/report/shape.js";
import { ticks, timeTicks } from "../../src/report/ticks.js";
import { columns } from "../../src/voyage/columns.js";
import { meanKinetic } from "../../src/voyage/kinetic.js";
import { find, trip, trips } from "../../src/voyage/trip.js";

test("ticks are round, ascend and lie within", () => {
  assert.deepEqual(ticks(0.3, 9.7, 5), [2, 4, 6, 8]);
  assert.deepEqual(ticks(-1.2, 1.3, 5), [-1, -0.5, 0, 0.5, 1]);
  for (let seed = 1; seed < 800; seed += 1) {
    const low = Math.sin(seed) * 10 ** (seed % 7 - 2);
    const high = low + Math.abs(Math.cos(seed * 3)) * 10 ** (seed % 5 - 2) + 1e-6;
    const found = ticks(low, high, 6);
    assert.ok(found.length <= 8, `${low} ${high} ${found}`);
    for (const [index, value] of found.entries()) {
      assert.ok(value >= low - (high - low) * 1e-6 && value <= high + (high - low) * 1e-6);
      assert.ok(index === 0 || value > (found[index - 1] ?? 0));
    }
  }
  assert.deepEqual(ticks(3, 3, 5), [3]);
  assert.deepEqual(ticks(NaN, 3, 5), []);
});

test("times are full hours and days of UTC", () => {
  const day = timeTicks(Date.UTC(2026, 10, 1, 0, 7) / 1000, Date.UTC(2026, 10, 2) / 1000, 8);
  assert.equal(day.step, 3 * 3600);
  assert.ok(day.times.every((time) => time % (3 * 3600) === 0));
  const weeks = timeTicks(Date.UTC(2026, 10, 1) / 1000, Date.UTC(2026, 10, 22) / 1000, 10);
  assert.ok(weeks.times.length <= 12 && weeks.times.every((time) => time % 86_400 === 0));
  assert.deepEqual(timeTicks(5, 5, 10).times, []);
});

const scales = { x: linear(0, 100, 0, 100), y: linear(0, 10, 100, 0) };
const field = (t: number[], mean: (number | null)[]) => columns({ t, mean, min: mean.map((value) => value && value - 1), max: mean.map((value) => value && value + 1) });

test("a line breaks at gaps, and a value alone is a stroke", () => {
  assert.equal(line(field([0, 10, 20, 30, 40], [1, 2, null, 3, null]), scales), "M0.0 90.0L10.0 80.0M30.0 70.0h.6");
  assert.equal(line(field([], []), scales), "");
});

test("a band is closed between gaps", () => {
  assert.equal(spread(field([0, 10, 20, 30], [2, 2, null, 5]), scales), "M0.0 70.0L10.0 70.0L10.0 90.0L0.0 90.0Z");
});

test("a scale without a span puts all in the middle", () => {
  assert.equal(linear(4, 4, 0, 10)(4), 5);
});

test("mean kinetic temperature: of one temperature it is that, and heat weighs more than cold", () => {
  const even = meanKinetic(columns({ t: [0, 300, 600], mean: [5, 5, 5], min: [], max: [] }), 300) ?? NaN;
  assert.ok(Math.abs(even - 5) < 1e-9);
  // By hand, of 2 °C and 12 °C for the same time, ΔH/R = 10,000 K.
  const kelvin = 10_000 / -Math.log((Math.exp(-10_000 / 275.15) + Math.exp(-10_000 / 285.15)) / 2);
  const two = meanKinetic(columns({ t: [0, 300], mean: [2, 12], min: [], max: [] }), 300) ?? NaN;
  assert.ok(Math.abs(two - (kelvin - 273.15)) < 1e-9 && two > 7);
  assert.equal(meanKinetic(columns(undefined), 300), null);
  // Points that are single readings have no length of their own.
  assert.equal(meanKinetic(columns({ t: [0, 300], mean: [2, 12], min: [], max: [] }), 0), two);
  assert.ok(Math.abs((meanKinetic(columns({ t: [7], mean: [4], min: [], max: [] }), 0) ?? NaN) - 4) < 1e-9);
});

test("what lies before a gap does not weigh for the whole of it", () => {
  const gapped = meanKinetic(columns({ t: [0, 300, 900_000], mean: [2, 2, 12], min: [], max: [] }), 300) ?? NaN;
  assert.ok(gapped > 5, String(gapped));
});

const REPORT = {
  trip: "MSKU-7", by: "method", gapAfter: 900, bounds: { temperature: { low: 2, high: 8 } }, calibration: { bme280: { date: "2026-05-04" } },
  readings: 40, first: "2026-11-01T00:00:00.000Z", last: "2026-11-02T00:00:00.000Z",
  gaps: { count: 1, longestSeconds: 1200, totalSeconds: 1200, ofUnknownLength: 0 },
  temperature: { min: { value: 1.9, time: "2026-11-01T02:00:00.000Z" }, max: null, mean: 4.2, seconds: 80_000, mkt: 4.4, high: { limit: 8, beyondSeconds: 0 } },
  doorOpenings: 2, distanceKm: 12.5,
};

test("a trip's report is read member by member", () => {
  const found = trip(REPORT);
  assert.equal(found.name, "MSKU-7");
  assert.equal(found.fields.length, 1);
  assert.deepEqual(found.fields[0]?.min, { value: 1.9, time: "2026-11-01T02:00:00.000Z" });
  assert.equal(found.fields[0]?.max, null);
  assert.deepEqual(found.fields[0]?.bounds.map(({ name, beyondSeconds }) => [name, beyondSeconds]), [["high", 0]]);
  assert.deepEqual(found.calibration, [{ name: "bme280.date", text: "2026-05-04" }]);
  assert.equal(found.limits.length, 2);
});

test("a report of anything at all is a trip of which nothing is known", () => {
  for (const odd of [{}, { trip: 7, first: 4, gaps: [], temperature: { seconds: "x", min: 3 }, bounds: 5, calibration: [] }]) {
    const found = trip(odd);
    assert.equal(found.name, "");
    assert.equal(found.first, null);
    assert.equal(found.gaps.count, null);
  }
});

test("the trip under way comes first, and each is found by its beginning or its name", () => {
  const old = { ...REPORT, trip: "old", first: "2026-01-01T00:00:00.000Z", last: "2026-01-09T00:00:00.000Z", isUnderWay: true };
  const all = trips([REPORT, old]);
  assert.deepEqual(all.map(({ name }) => name), ["old", "MSKU-7"]);
  assert.equal(find(all, "MSKU-7")?.first, REPORT.first);
  assert.equal(find(all, REPORT.first)?.name, "MSKU-7");
  assert.equal(find(all, "none"), undefined);
});
