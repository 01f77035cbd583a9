import assert from "node:assert/strict";
import { test } from "node:test";
import { band, limits, limitsOfTrip } from "../../src/voyage/limits.js";

const gouda = { name: "gouda", low: 1, high: 7 };

test("a profile's band is one of temperature", () => {
  assert.deepEqual(band(limits(gouda, undefined), "warning"), { low: 1, high: 7 });
  assert.deepEqual(band(limits({ name: "frozen", low: null, high: -15 }, undefined), "warning"), { low: null, high: -15 });
  assert.deepEqual(limits(null, undefined), []);
});

test("a bound of the profile's name goes before it, others beside it", () => {
  const own = { bounds: { temperature: { field: "temperature", warning: { low: 2, high: 6 }, critical: { high: 9 } }, damp: { field: "humidity", warning: { high: 85 } } } };
  const found = limits(gouda, own);
  assert.deepEqual(band(found.filter(({ field }) => field === "temperature"), "warning"), { low: 2, high: 6 });
  assert.deepEqual(band(found.filter(({ field }) => field === "temperature"), "critical"), { low: null, high: 9 });
  assert.deepEqual(found.filter(({ field }) => field === "humidity"), [{ field: "humidity", severity: "warning", side: "high", value: 85 }]);
});

test("a bound that is wider than the profile's goes before it too", () => {
  const own = { bounds: { temperature: { field: "temperature", warning: { low: -5, high: 20 } } } };
  assert.deepEqual(band(limits(gouda, own), "warning"), { low: -5, high: 20 });
});

test("of several bounds over one field the nearest counts", () => {
  const own = { bounds: { a: { field: "humidity", warning: { low: 10, high: 90 } }, b: { field: "humidity", warning: { low: 20, high: 95 } } } };
  assert.deepEqual(band(limits(null, own), "warning"), { low: 20, high: 90 });
});

test("what a twin may hold beside bounds does no harm", () => {
  for (const odd of [null, 4, "x", [], { bounds: null }, { bounds: [1] }, { bounds: { a: 1, b: { field: 7 }, c: { field: "temperature", warning: { low: "1", high: null } } } }]) {
    assert.deepEqual(limits(null, odd), []);
    assert.deepEqual(limitsOfTrip(odd === null ? undefined : "x"), []);
  }
});

test("the bounds of a trip have critical ones beside them", () => {
  const found = limitsOfTrip({ temperature: { low: 2, high: 8, criticalHigh: 10 } });
  assert.deepEqual(band(found, "warning"), { low: 2, high: 8 });
  assert.deepEqual(band(found, "critical"), { low: null, high: 10 });
});
