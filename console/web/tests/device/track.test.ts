import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrackPoint } from "../../src/api-types.js";
import { roundLength } from "../../src/track/scale-bar.js";
import { at, cleaned, ends, placed, traced, viewOf } from "../../src/track/trace.js";

const lines = (path: string): number => path.split("M").length - 1;

test("all of the track lies in the picture, over the Pacific too", () => {
  const pacific: TrackPoint[] = [[170, 10, 0], [179, 12, 10], [-179, 13, 20], [-160, 20, 30]];
  for (const points of [pacific, [[4, 52, 0], [103, 1, 9]] as TrackPoint[], [[4, 52, 0]] as TrackPoint[]]) {
    const view = viewOf(points, null, 400, 300);
    for (const point of points) {
      const [x, y] = placed(view, point ?? [0, 0]);
      assert.ok(x >= 0 && x <= 400 && y >= 0 && y <= 300, `${x} ${y}`);
    }
  }
  assert.equal(lines(traced(pacific, viewOf(pacific, null, 400, 300)).known), 1);
});

test("once round the world no line is drawn back through all of it", () => {
  const round: TrackPoint[] = Array.from({ length: 37 }, (_, index) => [((index * 10 + 360) % 360) - 180, 10, index]);
  const { known } = traced(round, viewOf(round, null, 400, 300));
  assert.equal(lines(known), 2);
});

test("weeks without a position are a dashed guess", () => {
  const points: TrackPoint[] = [[4, 52, 0], [3, 51, 10], null, [-9, 38, 9e5], [-8, 37, 9.1e5]];
  const { known, guessed } = traced(points, viewOf(points, null, 400, 300));
  assert.equal(lines(known), 2);
  assert.equal(lines(guessed), 1);
  assert.deepEqual(ends(points), { first: points[0], last: points[4] });
  assert.deepEqual(traced([], viewOf([], null, 400, 300)), { known: "", guessed: "" });
});

test("what is no place is a gap", () => {
  assert.deepEqual(cleaned([[NaN, 1, 0], [4, 95, 0], [4, 5, 0], null]), [null, null, [4, 5, 0], null]);
});

test("a cursor far from any position has none", () => {
  const points: TrackPoint[] = [[4, 52, 0], null, [5, 53, 100]];
  assert.deepEqual(at(points, 90, 20), [5, 53, 100]);
  assert.equal(at(points, 50, 20), null);
});

test("a scale bar has a round length", () => {
  assert.deepEqual([7, 23, 499, 500, 1_234_567].map(roundLength), [5, 20, 200, 500, 1_000_000]);
  assert.equal(roundLength(NaN), 0);
});
