// One container: its charts, its twin and the device's answers, what can be asked of it, and its record to take away.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before } from "node:test";
import { simulation } from "./laboratory.mjs";
import { colour, count } from "./pixels.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const ID = "sensor-thl-001";
const FIELDS = ["temperature", "humidity", "pressure", "speed"];

const step = story();
let laboratory, browser, visitor;

before(async () => {
  laboratory = simulation();
  browser = await launch();
  visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
});

after(async () => {
  await browser?.close();
  await laboratory?.stop();
});

step("a row opens its container", async () => {
  await visitor.get(`row-${ID}`).getByText(ID).first().click();
  await until("its title is shown", async () => (await visitor.get("device-title").textContent()) === ID);
  assert.match(visitor.page.url(), new RegExp(`#/device/${ID}$`));
});

step("the charts are filled with what the hub received", async () => {
  for (const field of FIELDS) {
    const chart = visitor.get(`chart-${field}`);
    await until(`the chart of ${field} has points`, async () => Number(await chart.getAttribute("data-points")) >= 10);
    const line = await colour(visitor.page, "--ok");
    await until(`the chart of ${field} is drawn`, async () => (await count(chart.locator("canvas").first(), line, { near: 40 })) > 50);
  }
  const received = laboratory.last(ID, 5000).map(({ body }) => body.temperature);
  const { fields } = await visitor.api(`devices/${ID}/series?fields=temperature&points=400`);
  const shown = fields.temperature.mean.filter((value) => value !== null);
  assert.ok(shown.length >= 10);
  assert.ok(Math.min(...shown) >= Math.min(...received) - 0.01, "a chart is not below what was received");
  assert.ok(Math.max(...shown) <= Math.max(...received, ...laboratory.last(ID, 5).map(({ body }) => body.temperature)) + 0.01, "nor above");
  await visitor.picture("container", { isWhole: true });
});

step("telemetryInterval is edited in place, and the device's answer stands beside it", async () => {
  await desire({ telemetryInterval: 2 });
  await answered("telemetryInterval", "accepted", "200");
  await laboratory.line("that the device follows its twin", ({ device, text }) => device === ID && /telemetryInterval = 2/.test(text ?? ""));
  const twin = await visitor.api(`devices/${ID}/twin`);
  assert.equal(twin.properties.desired.telemetryInterval, 2);
  assert.equal(twin.properties.reported.telemetryInterval.value, 2);
});

step("a value that the device can't take is refused with its reason", async () => {
  await desire({ telemetryInterval: 0 });
  await answered("telemetryInterval", "refused", "400");
  assert.match(await visitor.get("twin-answer-telemetryInterval").textContent(), /In force:\s*2/);
  await desire({ telemetryInterval: 1 });
  await answered("telemetryInterval", "accepted", "200");
});

step("what is no JSON is not saved, and the page says why", async () => {
  const area = visitor.get("twin-desired");
  const good = await area.inputValue();
  await area.fill(good.replace("{", ""));
  assert.equal(await visitor.get("twin-save").isDisabled(), true);
  assert.equal(await area.getAttribute("aria-invalid"), "true");
  await area.fill(good);
});

step("a direct method is answered", async () => {
  await visitor.get("method-name").fill("ping");
  await visitor.get("method-payload").fill('{"from": "the console"}');
  await visitor.get("method-call").click();
  const answer = visitor.get("method-answers").locator("li").first();
  await until("the answer is shown", async () => /200/.test(await answer.textContent()) && /the console/.test(await answer.textContent()));
  await visitor.get("method-name").fill("makeCoffee");
  await visitor.get("method-call").click();
  await until("an unknown method is refused", async () => /makeCoffee/.test(await answer.textContent()) && /404|501|400/.test(await answer.textContent()));
});

step("a message waits at the hub", async () => {
  await visitor.get("message-body").fill("a message");
  await visitor.get("message-send").click();
  await visitor.page.getByText("It waits in the device's queue").waitFor();
});

step("the story tells how it was provisioned", async () => {
  await until("the story has it", async () => /assigned|provision/i.test(await visitor.get("story").textContent()));
});

step("the record is downloaded as CSV and as JSON lines", async () => {
  const lines = {};
  for (const kind of ["csv", "jsonl"]) {
    const [download] = await Promise.all([visitor.page.waitForEvent("download"), visitor.get(`export-${kind}`).click()]);
    lines[kind] = readFileSync(await download.path(), "utf8").trimEnd().split("\n");
    assert.match(download.suggestedFilename(), new RegExp(`${kind}$`));
  }
  assert.match(lines.csv[0], /time.*temperature/);
  const readings = lines.jsonl.map((line) => JSON.parse(line));
  assert.ok(readings.length >= 10);
  assert.ok(readings.every(({ temperature }) => typeof temperature === "number"));
  // The one is fetched a moment after the other.
  assert.ok(lines.csv.length > 10);
});

step("nothing was complained of, and nobody else was asked", () => visitor.leave());

/** Edits the desired properties in place, and saves. */
async function desire(change) {
  const area = visitor.get("twin-desired");
  await until("the twin is there", async () => (await area.inputValue()) !== "");
  const desired = { ...JSON.parse(await area.inputValue()), ...change };
  await area.fill(JSON.stringify(desired, null, 2));
  await visitor.get("twin-save").click();
}

function answered(name, state, code) {
  return visitor.page.locator(`[data-testid="twin-answer-${name}"][data-state="${state}"][data-code="${code}"]`).waitFor();
}
