// The fleet: two simulated containers on the map and in the list, as the hub receives them.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { simulation } from "./laboratory.mjs";
import { colour, count } from "./pixels.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const DEVICES = ["sensor-thl-001", "sensor-thl-002"];
/** Degrees: what is lost on the way from the hub to a pixel and back. */
const EXACT = 1e-3;

const step = story();
let laboratory, browser, visitor;

before(async () => {
  laboratory = simulation();
  browser = await launch();
  visitor = await Visitor.arrive(browser);
});

after(async () => {
  await browser?.close();
  await laboratory?.stop();
});

step("the link that simulate prints opens the fleet, and leaves no token in the address", async () => {
  await visitor.open(await laboratory.link());
  assert.doesNotMatch(visitor.page.url(), /token/);
  assert.match(await visitor.page.title(), /Fleet/);
  for (const id of DEVICES) await visitor.get(`row-${id}`).waitFor();
});

step("both containers are drawn where the hub's last message says, and move", async () => {
  const first = await until("both containers are on the map", async () => {
    const drawn = await visitor.positions();
    return DEVICES.every((id) => drawn.has(id)) && drawn;
  });
  for (const id of DEVICES) {
    await until(`${id} is drawn where the hub's last messages say`, async () => {
      const drawn = (await visitor.positions()).get(id);
      // While the question was on its way the next message may have come.
      return laboratory.last(id, 4).some(({ body }) => isAt(drawn, body.location)) && drawn;
    });
    await until(`${id} has moved`, async () => {
      const drawn = (await visitor.positions()).get(id);
      const moved = Math.hypot(drawn.lon - first.get(id).lon, drawn.lat - first.get(id).lat);
      return moved > 0.05 && laboratory.last(id, 4).some(({ body }) => isAt(drawn, body.location));
    });
  }
});

step("the place on the canvas has the colour of the container's state", async () => {
  const fine = await colour(visitor.page, "--ok");
  const canvas = visitor.get("map");
  for (const id of DEVICES) {
    await visitor.rowIs(id, "is well", (row) => row.state === "ok");
    await until(`there is a marker at ${id}`, async () => {
      const { x, y } = (await visitor.positions()).get(id);
      return (await count(canvas, fine, { x, y, radius: 8 })) > 20;
    });
  }
  const everywhere = await count(canvas, fine);
  assert.ok(everywhere < 4000, `${everywhere} pixels have the colour of a marker: the map is full of it`);
});

step("the map of a paused simulation shows the hub's very last message", async () => {
  await visitor.page.getByRole("button", { name: "Pause" }).click();
  await until("the page says so", async () => /Paused/.test(await visitor.get("speed").textContent()));
  for (const id of DEVICES) {
    await until(`${id} stands where the last message says`, async () => {
      const { location } = laboratory.readings.get(id).body;
      return isAt((await visitor.positions()).get(id), location);
    });
  }
  await visitor.page.getByRole("button", { name: "Go on" }).click();
  await until("time goes on", async () => !/Paused/.test(await visitor.get("speed").textContent()));
});

step("time goes faster", async () => {
  const before = (await visitor.api("session")).time.speed;
  await visitor.page.getByRole("button", { name: "Faster" }).click();
  await until("the server says so", async () => (await visitor.api("session")).time.speed === before * 2);
});

step("the list shows the reading that the hub received, searches and sorts", async () => {
  const [one, other] = DEVICES;
  await until("the row shows one of the hub's last temperatures", async () => {
    const text = await visitor.get(`row-${one}`).textContent();
    return laboratory.last(one, 6).some(({ body }) => text.includes(body.temperature.toFixed(1)));
  });
  await visitor.get("search").fill(other);
  await visitor.get(`row-${one}`).waitFor({ state: "detached" });
  assert.equal(await visitor.get(`row-${other}`).count(), 1);
  await until("the map shows the same", async () => [...(await visitor.positions()).keys()].join() === other);
  await visitor.get("search").fill("");
  await visitor.get(`row-${one}`).waitFor();

  const head = visitor.page.getByRole("columnheader", { name: /Container/ }).first();
  await head.getByRole("button").click();
  const sorted = await head.getAttribute("aria-sort");
  await head.getByRole("button").click();
  assert.notEqual(await head.getAttribute("aria-sort"), sorted);
  await visitor.picture("fleet");
});

step("the past is shown, and the page says that it is not now", async () => {
  await visitor.get("history").click();
  const slider = visitor.page.getByRole("slider", { name: /history/ });
  await slider.fill("300");
  await until("the page says so", async () => /past/.test(await visitor.get("live-state").textContent()));
  await visitor.page.getByRole("button", { name: "Back to now" }).click();
  await until("it is now again", async () => !/past/.test(await visitor.get("live-state").textContent()));
});

step("nothing was complained of, and nobody else was asked", () => visitor.leave());

function isAt(drawn, location) {
  return drawn !== undefined && location !== undefined && Math.abs(drawn.lon - location.lon) < EXACT && Math.abs(drawn.lat - location.lat) < EXACT;
}
