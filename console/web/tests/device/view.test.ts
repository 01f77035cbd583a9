import assert from "node:assert/strict";
import { test } from "node:test";
import * as view from "../../src/voyage/view.js";

const WHOLE = { from: 1_700_000_000, to: 1_700_864_000 };

test("zooming keeps the time under the cursor, and all views lie within the whole", () => {
  for (let seed = 1; seed < 500; seed += 1) {
    const random = (step: number): number => ((Math.sin(seed * 12.9898 + step * 78.233) * 43758.5453) % 1 + 1) % 1;
    let shown = view.within({ from: WHOLE.from + random(1) * 864_000, to: WHOLE.from + random(2) * 864_000 }, WHOLE);
    for (let step = 0; step < 6; step += 1) {
      const about = shown.from + random(step + 3) * (shown.to - shown.from);
      const share = (about - shown.from) / (shown.to - shown.from);
      const closer = view.zoomed(shown, WHOLE, 0.5, about);
      if (closer.to - closer.from > view.SHORTEST + 1) {
        assert.ok(Math.abs((about - closer.from) / (closer.to - closer.from) - share) < 1e-6);
      }
      shown = step % 2 === 0 ? closer : view.panned(closer, WHOLE, random(step) * 4 - 2);
      assert.ok(shown.from >= WHOLE.from - 1e-3 && shown.to <= WHOLE.to + 1e-3, JSON.stringify(shown));
      assert.ok(shown.to - shown.from >= view.SHORTEST - 1e-3);
    }
  }
});

test("zooming out ends with the whole", () => {
  let shown = { from: WHOLE.from + 1000, to: WHOLE.from + 2000 };
  for (let step = 0; step < 20; step += 1) shown = view.zoomed(shown, WHOLE, 2);
  assert.ok(view.isWhole(shown, WHOLE));
  assert.deepEqual(view.newest(WHOLE, 86_400), { from: WHOLE.to - 86_400, to: WHOLE.to });
  assert.deepEqual(view.newest(WHOLE, 1e9), WHOLE);
});

test("a brush may be drawn either way", () => {
  assert.deepEqual(view.brushed(WHOLE.to - 100, WHOLE.from + 100, WHOLE), view.brushed(WHOLE.from + 100, WHOLE.to - 100, WHOLE));
});

test("a clock of 1970 does not make a voyage of half a century", () => {
  const found = view.voyage("1970-01-01T00:00:12Z", "2026-11-21T08:00:00Z");
  assert.ok(found?.isCut);
  assert.equal(found?.view.from, view.EARLIEST);
  const fields = { temperature: { t: [1_795_000_000, 1_795_000_300], min: [null, 4], mean: [null, 4], max: [null, 4] } };
  assert.equal(view.trimmed(found?.view ?? WHOLE, fields, 300).from, 1_795_000_000);
  // Where nothing else is known, that is what there is.
  assert.equal(view.voyage("1970-01-01T00:00:12Z", "1970-01-02T00:00:00Z")?.isCut, false);
});

test("without a reading there is no voyage, and one reading is one of a minute", () => {
  assert.equal(view.voyage(null, null), null);
  assert.equal(view.voyage("no time", "2026-11-21T08:00:00Z"), null);
  const one = view.voyage("2026-11-21T08:00:00Z", "2026-11-21T08:00:00Z");
  assert.equal((one?.view.to ?? 0) - (one?.view.from ?? 0), view.SHORTEST);
});

test("the newest is followed, and whoever looks back is left in peace", () => {
  const grown = { from: WHOLE.from, to: WHOLE.to + 600 };
  assert.deepEqual(view.followed(null, null, grown), grown);
  assert.deepEqual(view.followed(WHOLE, WHOLE, grown), grown);
  assert.deepEqual(view.followed({ from: WHOLE.to - 3600, to: WHOLE.to }, WHOLE, grown), { from: grown.to - 3600, to: grown.to });
  const back = { from: WHOLE.from + 100, to: WHOLE.from + 4000 };
  assert.equal(view.followed(back, WHOLE, grown), back);
});
