import assert from "node:assert/strict";
import { test } from "node:test";
import type { Row, StoryEntry } from "../../src/api-types.js";
import { targets } from "../../src/trouble/faults.js";
import { request, type Wish } from "../../src/trouble/kinds.js";
import { latest, spark, struck, Watch } from "../../src/trouble/watch.js";

const wish = (more: Partial<Wish>): Wish => ({ kind: "blackHole", devices: "all", seconds: "", latencyMs: "", perSecond: "", hub: "", ...more });

test("a wish is sent with what belongs to its kind, and no more", () => {
  assert.deepEqual(request(wish({ seconds: "30", latencyMs: "9", perSecond: "9", hub: "x" })), { value: { kind: "blackHole", devices: "all", seconds: 30 } });
  assert.deepEqual(request(wish({ kind: "latency", devices: ["a"], latencyMs: "2000" })), { value: { kind: "latency", devices: ["a"], latencyMs: 2000 } });
  assert.deepEqual(request(wish({ kind: "throttle", perSecond: "2" })), { value: { kind: "throttle", devices: "all", perSecond: 2 } });
  assert.deepEqual(request(wish({ kind: "hubGone", hub: "west" })), { value: { kind: "hubGone", devices: "all", hub: "west" } });
  assert.deepEqual(request(wish({ kind: "hubGone" })), { value: { kind: "hubGone", devices: "all" } });
});

test("what can't be is told by the field", () => {
  for (const [bad, says] of [
    [wish({ devices: [] }), "Choose whom"],
    [wish({ seconds: "0" }), "For how long"],
    [wish({ seconds: "1.5" }), "For how long"],
    [wish({ seconds: "x" }), "For how long"],
    [wish({ kind: "latency" }), "Latency"],
    [wish({ kind: "latency", latencyMs: "600001" }), "Latency"],
    [wish({ kind: "throttle", perSecond: "0" }), "Allowed"],
  ] as const) {
    const found = request(bad);
    assert.ok("error" in found && found.error.startsWith(says), JSON.stringify(found));
  }
});

const row = (id: string, backlog: number | null, connection: Row["connection"] = "connected"): Row => ({ id, backlog, connection }) as Row;

test("whoever was struck stays watched until the end, and a usual backlog is nothing to watch", () => {
  const watch = new Watch();
  watch.sample([row("a", 5), row("b", 0)]);
  assert.deepEqual(watch.list(), []);
  watch.strike(["a"]);
  watch.sample([row("a", 40), row("b", 400)]);
  assert.deepEqual(watch.list().map(({ id, isStruck }) => [id, isStruck]), [["a", true], ["b", false]]);
  watch.strike([]);
  watch.sample([row("a", 0), row("b", 0)]);
  assert.deepEqual(watch.list().map(({ id, backlogs }) => [id, backlogs]), [["a", [40, 0]], ["b", [400, 0]]]);
  watch.forget(["a"]);
  assert.deepEqual(watch.list().map(({ id }) => id), ["b"]);
});

test("a reconnect is one who was away and is there again", () => {
  const watch = new Watch();
  watch.strike(["a"]);
  for (const connection of ["connected", "disconnected", "disconnected", "connected", "connected", "disconnected", "connected"] as const) watch.rows([row("a", 0, connection)]);
  assert.equal(watch.list()[0]?.reconnects, 2);
});

test("two minutes are kept", () => {
  const watch = new Watch();
  watch.strike(["a"]);
  for (let sample = 0; sample < 300; sample += 1) watch.sample([row("a", sample)]);
  assert.equal(watch.list()[0]?.backlogs.length, 120);
  assert.equal(watch.list()[0]?.backlogs.at(-1), 299);
});

test("a spark has gaps, and is nothing without values", () => {
  assert.equal(spark([0, 10, null, 5], 30, 20), "M0.0 20.0L10.0 0.0M30.0 10.0");
  assert.equal(spark([null], 30, 20), "");
  assert.equal(spark([0], 30, 20), "M0.0 20.0");
});

test("targets in words, and as devices", () => {
  assert.equal(targets("all"), "for all devices");
  assert.equal(targets(["a", "b", "c", "d", "e"]), "for a, b, c and 2 more");
  assert.deepEqual(struck("all", ["a", "b"]), ["a", "b"]);
  assert.deepEqual(struck(["c"], ["a", "b"]), ["c"]);
});

test("the last word of each is about its connection", () => {
  const entry = (device: string, time: string, kind: StoryEntry["kind"]): StoryEntry => ({ device, time, kind, text: `${kind} ${time}` }) as StoryEntry;
  const found = latest([entry("a", "3", "alarm"), entry("a", "2", "connection"), entry("a", "1", "refusal"), entry("b", "1", "takeover")]);
  assert.deepEqual([...found].map(([id, { text }]) => [id, text]), [["a", "connection 2"], ["b", "takeover 1"]]);
});
