import assert from "node:assert/strict";
import { test } from "node:test";
import { alone, columns, extent, gaps, nearest, scale } from "../../src/voyage/columns.js";

const field = (t: number[], mean: (number | null)[], min = mean, max = mean) => ({ t, min, mean, max });

test("what is no number is a gap, and times that step back are left out", () => {
  const data = columns(field([10, 20, 15, 30, NaN, 40], [1, NaN, 9, 3, 4, Infinity]));
  assert.deepEqual(data.t, [10, 20, 30, 40]);
  assert.deepEqual(data.mean, [1, null, 3, null]);
  assert.equal(data.isAggregated, false);
  assert.deepEqual(columns(undefined).t, []);
});

test("columns that are shorter than their times have gaps", () => {
  const data = columns({ t: [1, 2, 3], min: [], mean: [5], max: [6] });
  assert.deepEqual(data.mean, [5, null, null]);
  assert.deepEqual(data.min, [5, null, null]);
  assert.deepEqual(data.max, [6, null, null]);
  assert.equal(data.isAggregated, true);
});

test("gaps lie between values; those at the ends are none", () => {
  const data = columns(field([0, 10, 20, 30, 40, 50], [null, 1, null, null, 2, null]));
  assert.deepEqual(gaps(data), [[10, 40]]);
  assert.deepEqual(gaps(data, 30), []);
  assert.deepEqual(gaps(columns(field([0, 10], [1, 2]))), []);
});

test("a value alone between gaps is found, so that it can be drawn as a point", () => {
  assert.deepEqual(alone([null, 4, null, 1, 2, null, 7]), [1, 6]);
  assert.deepEqual(alone([3]), [0]);
  assert.deepEqual(alone([]), []);
});

test("extremes are those of the band, in view only", () => {
  const data = columns(field([0, 10, 20], [1, 2, 3], [0, -5, 2], [2, 9, 30]));
  assert.deepEqual(extent(data, { from: 0, to: 10 }), { min: -5, mean: 1.5, max: 9 });
  assert.equal(extent(data, { from: 100, to: 200 }), null);
});

test("a cursor in a gap has no value", () => {
  const data = columns(field([0, 10, 20, 30], [1, null, null, 4]));
  assert.equal(nearest(data, 2), 0);
  assert.equal(nearest(data, 12), null);
  assert.equal(nearest(data, 29), 3);
  assert.equal(nearest(columns(undefined), 5), null);
});

test("an axis shows the data, limits near to it, and is never flat", () => {
  const [low, high] = scale({ min: 4, mean: 4, max: 4 }, [], 2);
  assert.ok(low < 3.01 && high > 4.99);
  const near = scale({ min: 3, mean: 4, max: 6 }, [1, 7], 2);
  assert.ok(near[0] < 1 && near[1] > 7);
  const far = scale({ min: 3, mean: 4, max: 6 }, [50], 2);
  assert.ok(far[1] < 10);
  const empty = scale(null, [], 2);
  assert.ok(empty.every(Number.isFinite) && empty[0] < empty[1]);
  const limitsOnly = scale(null, [2, 8], 2);
  assert.ok(limitsOnly[0] < 2 && limitsOnly[1] > 8);
});

test("100,000 points are taken", () => {
  const t = Array.from({ length: 100_000 }, (_, index) => index * 60);
  const data = columns(field(t, t.map((time) => Math.sin(time))));
  assert.equal(data.t.length, 100_000);
  assert.ok(extent(data, { from: 0, to: 6_000_000 }) !== null);
  assert.equal(nearest(data, 599_970), 9_999);
});
