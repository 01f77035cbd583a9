import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlarmSpan } from "../../src/api-types.js";
import { excursions, together } from "../../src/voyage/excursions.js";

const span = (begin: string, end: string | null, more: Partial<AlarmSpan> = {}): AlarmSpan => ({
  name: "temperature", severity: "warning", begin, end, extreme: 8.4, limit: 7, field: "temperature", ...more,
});
const VIEW = { from: Date.parse("2026-11-02T00:00:00Z") / 1000, to: Date.parse("2026-11-03T00:00:00Z") / 1000 };

test("spans are cut to the view, and say so", () => {
  const found = excursions([span("2026-11-01T22:00:00Z", "2026-11-02T01:00:00Z"), span("2026-11-02T23:00:00Z", null)], VIEW);
  assert.deepEqual(found.map(({ from, to, isCutBefore, isOpen }) => [from - VIEW.from, to - VIEW.from, isCutBefore, isOpen]), [
    [0, 3600, true, false],
    [82_800, 86_400, false, true],
  ]);
});

test("what lies outside, or has no time, is left out", () => {
  const outside = [span("2026-10-01T00:00:00Z", "2026-10-02T00:00:00Z"), span("2026-12-01T00:00:00Z", null), span("never", null)];
  assert.deepEqual(excursions(outside, VIEW), []);
});

test("an end before its beginning is one at the beginning", () => {
  const [found] = excursions([span("2026-11-02T10:00:00Z", "2026-11-02T09:00:00Z")], VIEW);
  assert.equal(found?.to, found?.from);
});

test("extremes that are no numbers are not told", () => {
  const [found] = excursions([span("2026-11-02T10:00:00Z", null, { extreme: NaN, limit: null })], VIEW);
  assert.equal(found?.extreme, null);
});

test("times that overlap count once", () => {
  const all = excursions(
    [span("2026-11-02T00:00:00Z", "2026-11-02T02:00:00Z"), span("2026-11-02T01:00:00Z", "2026-11-02T03:00:00Z"), span("2026-11-02T01:30:00Z", "2026-11-02T01:40:00Z"), span("2026-11-02T05:00:00Z", "2026-11-02T06:00:00Z")],
    VIEW,
  );
  assert.equal(together(all), 4 * 3600);
  assert.equal(together([]), 0);
});
