import assert from "node:assert/strict";
import { test } from "node:test";
import { timeLabels, zoneName } from "../../src/device/charts/axis.js";
import { pairs } from "../../src/device/commands.js";

const NOON = Date.UTC(2026, 10, 12, 12) / 1000;

test("local time has UTC beneath it", () => {
  const labels = timeLabels("en-GB", "Europe/Amsterdam");
  assert.deepEqual(labels([NOON, NOON + 3600], 3600), ["12 Nov 13:00\n12:00 UTC", "14:00\n13:00 UTC"]);
  assert.deepEqual(labels([NOON + 11 * 3600], 86_400), ["13 Nov\n23:00 UTC"]);
});

test("where local time is UTC it stands there once", () => {
  const labels = timeLabels("en-GB", "UTC");
  assert.deepEqual(labels([NOON, NOON + 12 * 3600], 12 * 3600), ["12 Nov 12:00", "13 Nov 00:00"]);
  assert.deepEqual(labels([NOON], 30 * 86_400), ["Nov 2026"]);
  assert.deepEqual(labels([NaN], 3600), [""]);
  assert.equal(zoneName("en-GB", "UTC", new Date(NOON * 1000)), "UTC");
});

test("properties of a message are lines of name=value", () => {
  assert.deepEqual(pairs("urgency=high\n\n a = b=c \n"), { value: { urgency: "high", a: "b=c" } });
  assert.deepEqual(pairs("urgency"), { error: "“urgency” is no property: write name=value." });
});
