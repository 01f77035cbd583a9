// Trouble: a device that is disabled is refused and comes back; one that a black hole strikes keeps what it can't send.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { simulation } from "./laboratory.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const [ONE, OTHER] = ["sensor-thl-001", "sensor-thl-002"];

const step = story();
let laboratory, browser, visitor;

before(async () => {
  laboratory = simulation();
  browser = await launch();
  visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
  await visitor.rowIs(OTHER, "is well", (row) => row.state === "ok");
});

after(async () => {
  await browser?.close();
  await laboratory?.stop();
});

step("a device is disabled, and the page shows that it is refused", async () => {
  await visitor.go(`#/device/${ONE}`);
  await visitor.get("device-disable").click();
  await visitor.get("dialog-yes").click();
  await visitor.rowIs(ONE, "is disabled", (row) => ["disabled", "refused"].includes(row.state) && row.connection !== "connected");
  await laboratory.line("that it is refused", ({ device, text }) => device === ONE && /refus|not authori|disabled/i.test(text ?? ""));
  await until("the page shows it", async () => /Disabled|Refused/i.test(await visitor.get("device-state").textContent()));
  await until("its story tells it", async () => /refus|disabled/i.test(await visitor.get("story").textContent()));
  await visitor.picture("refused");
});

step("it is enabled, and delivers what it has kept", async () => {
  const before = laboratory.last(ONE, 5000).length;
  await visitor.get("device-enable").click();
  const sure = visitor.get("dialog-yes");
  if (await sure.isVisible()) await sure.click();
  await visitor.rowIs(ONE, "is well again", (row) => row.state === "ok" && row.connection === "connected");
  await until("the hub receives from it", () => laboratory.last(ONE, 5000).length > before + 3);
  assertWhole(ONE);
});

step("a black hole strikes one: its backlog grows on the page, the other goes on", async () => {
  await visitor.go("#/trouble");
  await strike("blackHole", OTHER);
  await visitor.get("fault-start").click();
  await visitor.rowIs(OTHER, "is struck", (row) => row.state === "outage");
  await visitor.rowIs(OTHER, "has a backlog", (row) => row.backlog >= 5);
  const then = (await visitor.row(OTHER)).backlog;
  await visitor.rowIs(OTHER, "has more of it", (row) => row.backlog > then);
  await visitor.go(`#/device/${OTHER}`);
  await until("the page shows it", async () => Number(/([\d,]+) waiting/.exec(await visitor.get("device").textContent())?.[1].replace(",", "")) >= then);
  await visitor.picture("black-hole");
  assert.equal((await visitor.row(ONE)).state, "ok");
});

step("the black hole ends: the backlog drains, and no reading is lost", async () => {
  // A link that swallows some packets and then goes on as if nothing had been is none of TCP: the device must have left it.
  await laboratory.line("that the device has given the link up", ({ device, event }) => device === OTHER && event === "lost");
  await visitor.go("#/trouble");
  await visitor.get("fault-stop").first().click();
  await visitor.rowIs(OTHER, "has delivered", (row) => row.state === "ok" && row.backlog !== null && row.backlog <= 2);
  assertWhole(OTHER);
  assert.deepEqual((await visitor.api("faults")).faults, []);
});

step("nothing was complained of, and nobody else was asked", () => visitor.leave());

/** Chooses a fault and whom it strikes. */
async function strike(kind, device) {
  await visitor.get("fault-kind").selectOption(kind);
  await visitor.get(`fault-device-${device}`).check();
}

/** The hub has every reading of a device from the first to the newest: their numbers have no gap. */
function assertWhole(device) {
  const numbers = new Set(laboratory.last(device, 5000).map(({ body }) => body.seq));
  const [first, last] = [Math.min(...numbers), Math.max(...numbers)];
  const missing = [];
  for (let number = first; number < last; number += 1) if (!numbers.has(number)) missing.push(number);
  assert.deepEqual(missing, [], `${device}: readings are missing`);
}
