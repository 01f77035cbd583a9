import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject, Twin } from "../../src/api-types.js";
import { answer, desired, isPending, names } from "../../src/device/twin/answers.js";
import { checked, place } from "../../src/device/twin/check.js";
import { faultAt } from "../../src/device/twin/scan.js";
import { KNOWN } from "../../src/device/twin/known.js";
import { described, diff, equal, merged } from "../../src/device/twin/patch.js";

/** Objects that are made up: the same for the same seed, without null, as a twin holds none. */
function madeUp(seed: number, depth = 0): JsonObject {
  let state = seed;
  const next = (most: number): number => (state = (state * 1_103_515_245 + 12_345) & 0x7fffffff) % most;
  const value = (level: number): Json => {
    const kind = next(level > 2 ? 4 : 6);
    if (kind === 4) return [next(3), "x", { a: next(3) }];
    if (kind === 5) return madeUp(next(1e6), level + 1);
    return [next(4), "text", true, 1.5][kind] as Json;
  };
  const object: JsonObject = {};
  for (let index = next(5); index > 0; index -= 1) object["abcdef"[next(6)] ?? "a"] = value(depth);
  return object;
}

test("a patch makes of one object the other", () => {
  for (let seed = 1; seed < 4000; seed += 1) {
    const [before, after] = [madeUp(seed), madeUp(seed * 7 + 3)];
    const patch = diff(before, after);
    assert.ok(equal(merged(before, patch), after), JSON.stringify({ before, after, patch }));
    assert.deepEqual(diff(before, before), {});
    assert.equal(described(before, patch).length > 0, !equal(before, after), JSON.stringify({ before, after, patch }));
  }
});

test("a patch holds no more than what changes", () => {
  const before = { telemetryInterval: 300, alarms: { profile: "gouda", bounds: { damp: { warning: { high: 85 } } } }, list: [1, 2] };
  const after = { telemetryInterval: 5, alarms: { profile: "gouda", bounds: {} }, list: [1, 2], evidence: true };
  assert.deepEqual(diff(before, after), { telemetryInterval: 5, alarms: { bounds: { damp: null } }, evidence: true });
  assert.deepEqual(described(before, diff(before, after)), [
    "telemetryInterval changes from 300 to 5",
    "alarms.bounds.damp is taken away",
    "evidence becomes true",
  ]);
});

test("a member called __proto__ is a member", () => {
  const after = JSON.parse('{"__proto__": {"a": 1}}') as JsonObject;
  const patch = diff({}, after);
  assert.deepEqual(Object.keys(patch), ["__proto__"]);
  assert.ok(equal(merged({}, patch), after));
  assert.equal(({} as Record<string, unknown>)["a"], undefined);
});

test("what is no JSON is told by line and column", () => {
  const text = '{\n  "telemetryInterval": 30O\n}';
  const found = checked(text);
  assert.ok("error" in found && found.error.startsWith("It is no JSON: line 2, column 26"), JSON.stringify(found));
  const cut = checked('{"a": 1');
  assert.ok("error" in cut && cut.error.includes("its end"), JSON.stringify(cut));
  assert.deepEqual(place("a\nbc", 3), { line: 2, column: 2 });
  const empty = checked("  ");
  assert.ok("error" in empty && empty.error.includes("{}"));
});

test("what the scan takes for JSON is what the browser takes for it", () => {
  const good = JSON.stringify({ a: [1, -0.5e-7, "x\\n\\u00e9\"", true, null, {}, []], b: { c: "" } }, null, 1);
  assert.equal(faultAt(good), null);
  const signs = ['"', "{", "}", "[", ",", ":", "\\", "0", "x", " ", "\n", "-", "e", "."];
  for (let seed = 0; seed < 6000; seed += 1) {
    const at = (seed * 7919) % good.length;
    const sign = signs[seed % signs.length] ?? "";
    const text = seed % 3 === 0 ? good.slice(0, at) + good.slice(at + 1) : seed % 3 === 1 ? good.slice(0, at) + sign + good.slice(at) : good.slice(0, at) + sign + good.slice(at + 1);
    let isGood = true;
    try {
      JSON.parse(text);
    } catch {
      isGood = false;
    }
    assert.equal(faultAt(text) === null, isGood, text);
  }
});

test("what a hub would refuse is told by its member", () => {
  for (const [text, says] of [
    ["[1]", "Desired properties are an object"],
    ['{"a": {"b c": 1}}', "a.b c: a name has no space."],
    ['{"a.b": 1}', "a.b: a name has no “.”."],
    ['{"$version": 1}', "$version: a name has no “$”."],
    ['{"": 1}', "A property has no name."],
    ['{"a": null}', "a is null; to take a property away, delete its line."],
    ['{"a": [1, null]}', "a[1] is null; a list holds none."],
    [`{"a": "${"x".repeat(4097)}"}`, "a is longer than 4 KB."],
    ['{"a": 4503599627370496}', "a is an integer that the hub does not take: −2⁵² to 2⁵²−1."],
    [`${'{"a":'.repeat(12)}1${"}".repeat(12)}`, `${Array(11).fill("a").join(".")} is nested deeper than 10 levels.`],
    [JSON.stringify(Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`m${index}`, "x".repeat(4000)]))), "All of it has 36073 bytes; a hub takes 32768."],
  ] as const) {
    const found = checked(text);
    assert.ok("error" in found, text.slice(0, 60));
    assert.ok(found.error.startsWith(says), `${found.error} ≠ ${says}`);
  }
  assert.deepEqual(checked('{"a": {"b": [1.5, "x", {"c": true}]}}'), { value: { a: { b: [1.5, "x", { c: true }] } } });
});

test("what is offered to be put in is good", () => {
  const all = Object.fromEntries(KNOWN.map(({ name, example }) => [name, example]));
  assert.ok("value" in checked(JSON.stringify(all)));
});

const twin = (wanted: JsonObject, reported: JsonObject, versions: Record<string, number> = {}): Twin => ({
  deviceId: "a", etag: '"1"',
  properties: {
    desired: { ...wanted, $version: 7, $metadata: Object.fromEntries(Object.entries(versions).map(([name, version]) => [name, { $lastUpdatedVersion: version }])) },
    reported,
  },
});

test("an answer is pending until it is to the version that set the property", () => {
  const asked = twin({ telemetryInterval: 5 }, { telemetryInterval: { value: 300, ac: 200, av: 6, ad: "applied" } }, { telemetryInterval: 7 });
  assert.equal(answer(asked, "telemetryInterval").state, "pending");
  assert.ok(isPending(asked));
  const told = twin({ telemetryInterval: 5 }, { telemetryInterval: { value: 5, ac: 200, av: 7, ad: "applied" } }, { telemetryInterval: 7 });
  assert.deepEqual(answer(told, "telemetryInterval"), { state: "accepted", code: 200, version: 7, text: "applied" });
  assert.ok(!isPending(told));
});

test("another property's newer version leaves an old answer an answer", () => {
  const told = twin({ a: 1, b: 2 }, { a: { value: 1, ac: 200, av: 3, ad: "" }, b: { value: 2, ac: 200, av: 7, ad: "" } }, { a: 3, b: 7 });
  assert.equal(answer(told, "a").state, "accepted");
});

test("a refusal says what is in force instead", () => {
  const told = twin({ telemetryInterval: 0 }, { telemetryInterval: { value: 300, ac: 400, av: 7, ad: "0 is too little" } }, { telemetryInterval: 7 });
  assert.deepEqual(answer(told, "telemetryInterval"), { state: "refused", code: 400, version: 7, text: "0 is too little", inForce: 300 });
});

test("codes have meanings, and a hash stands for a large value", () => {
  const state = (ac: number): string => answer(twin({ a: 1 }, { a: { value: 1, ac, av: 1, ad: "" } }), "a").state;
  assert.deepEqual([200, 202, 203, 400, 404, 500].map(state), ["accepted", "later", "default", "refused", "refused", "refused"]);
  const large = answer(twin({ a: [1] }, { a: { value: { sha256: "00", members: 50 }, ac: 200, av: 1, ad: "" } }), "a");
  assert.equal(large.inForce, undefined);
});

test("names are those desired and those answered, and nothing else that is reported", () => {
  const told = twin({ b: 1, a: 2 }, { firmware: { value: "1", ac: 203, av: 0, ad: "" }, journal: { state: "ok" }, takenOver: false, $version: 3 });
  assert.deepEqual(names(told), ["b", "a", "firmware"]);
  assert.deepEqual(desired(told), { b: 1, a: 2 });
  assert.equal(answer(told, "b").state, "pending");
  assert.equal(answer(told, "zzz").state, "none");
});
