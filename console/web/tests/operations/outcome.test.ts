import assert from "node:assert/strict";
import { test } from "node:test";
import { outcome } from "../../src/parts/operations.js";

test("who was not deprovisioned is told with the reason", () => {
  assert.deepEqual(outcome({ count: 2, failures: [{ device: "a", message: "It is not there." }] }, 3), { done: 2, failures: ["a: It is not there."] });
  assert.deepEqual(outcome({ count: 3, failures: [] }, 3), { done: 3, failures: [] });
  assert.deepEqual(outcome({}, 3), { done: 3, failures: [] });
  assert.deepEqual(outcome(undefined, 1), { done: 1, failures: [] });
});
