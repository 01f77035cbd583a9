// Search, order, sparklines, names and addresses.

import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMNS } from "../src/list/columns.js";
import { matches, sorted, wordsOf } from "../src/list/order.js";
import { sparkPath, sparkPoints } from "../src/list/spark.js";
import { Format } from "../src/format.js";
import { alarmText, nameOf, sentence } from "../src/names.js";
import { find } from "../src/routes.js";
import { row } from "./rows.js";

const format = new Format("en-GB", "Europe/Berlin");
const none = { looks: new Set<never>(), ids: null };
const column = (name: string) => COLUMNS.find((candidate) => candidate.name === name) ?? assert.fail(name);

test("the list can be sorted by all that it is to show", () => {
  const names = ["container", "cargo", "place", "temperature", "alarm", "backlog", "lastSeen", "hub", "firmware", "certificate"];
  assert.deepEqual(COLUMNS.map(({ name }) => name).sort(), names.sort());
});

test("what is missing comes last in either direction", () => {
  const rows = [row("a", { temperature: null }), row("b", { temperature: 5 }), row("c", { temperature: -20 }), row("d", { temperature: NaN })];
  const ids = (direction: 1 | -1) => sorted(rows, column("temperature"), direction).map(({ id }) => id).join("");
  assert.equal(ids(1), "cbad");
  assert.equal(ids(-1), "bcad");
});

test("numbers in names count as numbers", () => {
  const rows = ["t-10", "t-9", "t-2"].map((id) => row(id));
  assert.deepEqual(sorted(rows, column("container"), 1).map(({ id }) => id), ["t-2", "t-9", "t-10"]);
});

test("the gravest comes first, those that somebody has seen after those that nobody has", () => {
  const alarm = (isAcknowledged: boolean) => [{ name: "doorOpen", severity: "critical" as const, since: "2026-01-01T00:00:00Z", isAcknowledged, by: null }];
  const rows = [row("ok"), row("seen", { state: "alarm", alarms: alarm(true) }), row("silent", { state: "silent" }), row("new alarm", { state: "alarm", alarms: alarm(false) })];
  assert.deepEqual(sorted(rows, column("alarm"), 1).map(({ id }) => id), ["new alarm", "seen", "silent", "ok"]);
});

test("a search finds all its words anywhere", () => {
  const found = row("tracker-7", { container: "MSKU9070004", cargo: "Bananas", place: "Rotterdam", alarms: [{ name: "temperatureHigh", severity: "warning", since: "", isAcknowledged: false, by: null }], state: "alarm" });
  for (const search of ["banan", "MSKU rotter", "temperature high", "temperaturehigh", "  "]) {
    assert.ok(matches(found, { ...none, search }, wordsOf(search)), search);
  }
  assert.ok(!matches(found, { ...none, search: "coffee" }, wordsOf("coffee")));
  assert.ok(!matches(found, { search: "", looks: new Set(["ok"]), ids: null }, []));
  assert.ok(!matches(found, { search: "", looks: new Set(), ids: new Set(["other"]) }, []));
});

test("a sparkline has gaps where means are missing", () => {
  const lines = (values: (number | null)[]) => sparkPath(sparkPoints(values)).match(/M/g)?.length;
  assert.equal(lines([1, 2, 3, null, NaN, 4, 5, null, 6, 7]), 3);
  // A device that measures every three hours, and was silent once.
  assert.equal(lines([1, null, null, 2, null, null, 3, null, null, null, null, null, 4, null, null, 5]), 2);
  assert.equal(lines([1, null, null, 2]), 1);
  assert.ok(!sparkPath(sparkPoints([1, NaN, 4])).includes("NaN"));
  assert.deepEqual(sparkPoints([null, NaN]), []);
});

test("numbers and times that are none are said so", () => {
  assert.equal(format.temperature(NaN), "–");
  assert.equal(format.temperature(null), "–");
  assert.equal(format.temperature(-0.01), "0.0\u00a0°C");
  assert.equal(format.ago("1970-01-01T00:03:00Z", Date.UTC(2026, 1, 1)), "clock not set");
  assert.equal(format.time("1970-01-01T00:03:00Z"), "clock not set");
  assert.equal(format.time("nonsense"), "–");
});

test("local time has UTC beside it, with its day where that differs", () => {
  assert.equal(format.both("2026-11-12T13:03:00Z"), "12 Nov 2026, 14:03 (13:03 UTC)");
  assert.equal(format.both("2026-11-12T23:30:00Z"), "13 Nov 2026, 00:30 (12 Nov 2026, 23:30 UTC)");
  assert.equal(format.duration(90_061), "1\u00a0d 1\u00a0h");
  assert.equal(format.position([-70.25, -33.5], 1), "33.5°\u00a0S, 70.3°\u00a0W");
});

test("a container is called by its number", () => {
  assert.equal(nameOf(row("t", { container: "MSKU9070004" }), format), "MSKU 907000 4");
  assert.equal(nameOf(row("t"), format), "t");
  assert.equal(alarmText("temperatureHigh"), "Temperature high");
  assert.equal(sentence(row("t", { cargo: "Coffee", temperature: 4 }), format), "t, Coffee, All well, 4.0\u00a0°C");
});

test("addresses are found with what they carry", () => {
  const route = { pattern: /^\/device\/([^/]+)$/, title: () => "", mount: () => () => undefined };
  assert.deepEqual(find("#/device/a%2Fb%3C", [route])?.parameters, ["a/b<"]);
  assert.deepEqual(find("#/device/%E0%A4%A", [route])?.parameters, ["%E0%A4%A"]);
  assert.equal(find("#/nowhere", [route]), null);
  assert.ok(find(""));
  assert.ok(find("#/"));
});
