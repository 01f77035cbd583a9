import assert from "node:assert/strict";
import { test } from "node:test";
import { parted } from "../../src/device/evidence.js";

test("a report that a line quotes is named, and kept apart", () => {
  const report = { trip: "MSKU-7", temperature: { mean: 4 } };
  assert.deepEqual(parted(`trip ${JSON.stringify(report)}; the device's report says the same`), {
    said: "trip “MSKU-7”; the device's report says the same",
    json: JSON.stringify(report, null, 2),
  });
  assert.equal(parted('trip {"trip": ""}; its end is not in the record').said, "trip without a name; its end is not in the record");
});

test("any other line stays as it is", () => {
  for (const line of ["signed up to entry 7", "a {brace} in it", "} {", ""]) assert.deepEqual(parted(line), { said: line, json: null });
});
