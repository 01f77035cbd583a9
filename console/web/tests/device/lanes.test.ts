import assert from "node:assert/strict";
import { test } from "node:test";
import { lanesOf } from "../../src/device/charts/lanes.js";
import type { Excursion } from "../../src/voyage/excursions.js";

const span = (name: string, from: number): Excursion => ({ name, field: null, severity: "warning", from, to: from + 1, isCutBefore: false, isOpen: false, extreme: null, limit: null });

test("alarms of one name share a lane, in the order of the first", () => {
  const found = lanesOf([span("doorOpened", 1), span("gpsGone", 2), span("doorOpened", 3)]);
  assert.deepEqual(found.map(({ name, spans }) => [name, spans.map(({ from }) => from)]), [["doorOpened", [1, 3]], ["gpsGone", [2]]]);
  assert.deepEqual(lanesOf([]), []);
});
