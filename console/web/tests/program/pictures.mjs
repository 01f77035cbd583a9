// The pictures in the documentation: `CONTAINER_TRACKER=… node tests/program/pictures.mjs FOLDER` draws console.png, a fleet
// of 40 in the middle of its voyages, and console-container.png, one of them in charts. Made by hand when the page has changed;
// `pngquant 96` makes them a third as large.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { containerNumber } from "../../dev/fleet.mjs";
import { Program } from "./laboratory.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

/** Of the fleet's time: by then the ships are at sea, and the first things have happened. */
const DAYS = 21;
/** Hours of it in a second: fast until then, and then with a reading an hour, of which the lines in the list are made. */
const [FAST, SLOW] = [6, 1];
const SLOW_HOURS = 30;
const SIZE = { width: 1280, height: 800 };

const [folder = "docs/images", wanted] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const laboratory = new Program(["simulate", "--json", "--interval", "1", "--devices", "40", "--seed", "1", "--speed", String(FAST)]);
const browser = await launch();
try {
  const visitor = await Visitor.arrive(browser, { viewport: SIZE });
  await visitor.open(await laboratory.link());
  await until("all have begun", () => laboratory.readings.size === 40);
  await equip(visitor);
  await pass(visitor, DAYS * 24 - SLOW_HOURS);
  await change(visitor, "POST", "time", { speed: SLOW });
  await pass(visitor, SLOW_HOURS);
  await change(visitor, "PATCH", "devices/sensor-thl-009", { status: "disabled" });
  await change(visitor, "POST", "faults", { kind: "blackHole", devices: ["sensor-thl-004", "sensor-thl-017"] });
  await visitor.rowIs("sensor-thl-017", "waits", ({ state, backlog }) => state === "outage" && backlog > 4);
  await visitor.rowIs("sensor-thl-009", "is refused", ({ state }) => state !== "ok");
  await visitor.page.getByRole("button", { name: "Pause" }).click();
  await visitor.page.getByRole("button", { name: "Go on" }).waitFor();
  await visitor.page.getByRole("button", { name: "Show all" }).click();
  await visitor.page.mouse.move(SIZE.width / 2, 5);
  await visitor.page.evaluate(() => document.activeElement?.blur());
  await visitor.page.waitForTimeout(1500);
  await visitor.page.screenshot({ path: join(folder, "console.png") });

  const { devices } = await visitor.api("fleet");
  console.log(devices.map(({ id, state, cargo, alarms, place }) => `${id} ${state} ${cargo} ${place} ${alarms.map(({ name }) => name)}`).join("\n"));
  const id = wanted ?? devices.find(({ alarms }) => alarms.length > 0)?.id ?? devices[0].id;
  await visitor.go(`#/device/${id}`);
  await until("its charts are full", async () => Number(await visitor.get("chart-temperature").getAttribute("data-points")) > 20);
  await visitor.page.waitForTimeout(1500);
  await visitor.page.screenshot({ path: join(folder, "console-container.png") });
} finally {
  await browser.close();
  await laboratory.stop("SIGKILL");
}

/** Waits until so many hours of the fleet have passed. */
async function pass(visitor, hours) {
  const now = async () => Date.parse((await visitor.api("session")).time.now);
  const begin = await now();
  await until("the fleet is at sea", async () => (await now()) - begin > hours * 3_600_000, { patience: 600_000 });
}

/** What a shipper sets: alarms for the goods, and the container's number. */
async function equip(visitor) {
  const voyages = laboratory.lines.filter(({ event }) => event === "voyage");
  for (const [index, { device, cargo }] of voyages.entries()) {
    const desired = { containerNumber: containerNumber(index), alarms: { profile: profile(cargo) } };
    await change(visitor, "PATCH", `devices/${device}/twin`, { properties: { desired } });
  }
}

function profile(cargo) {
  const known = ["gouda", "edam", "cheddar", "butter", "bananas", "cherries"];
  return known.find((name) => cargo.toLowerCase().includes(name)) ?? (/frozen|ice/i.test(cargo) ? "frozen" : /pharma|vaccine/i.test(cargo) ? "pharma2to8" : "dry");
}

async function change(visitor, method, path, data) {
  const response = await visitor.context.request.fetch(`${visitor.origin}/api/${path}`, { method, data, headers: { origin: visitor.origin, "content-type": "application/json" } });
  if (!response.ok()) throw new Error(`${method} ${path}: ${await response.text()}`);
}
