// All by keyboard, with no pointer at all: to the fleet, to a container, its twin, trouble and its end. Wherever the focus
// goes it is seen.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { simulation } from "./laboratory.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const ID = "sensor-thl-002";
/** Presses of Tab in which everything of a page is reached. */
const FAR = 120;

const step = story();
let laboratory, browser, visitor, keyboard;

before(async () => {
  laboratory = simulation();
  browser = await launch();
  visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
  await until("both containers are on the map", async () => (await visitor.positions()).size === 2);
  keyboard = visitor.page.keyboard;
});

after(async () => {
  await browser?.close();
  await laboratory?.stop();
});

step("the first Tab offers to skip to the content", async () => {
  await keyboard.press("Tab");
  assert.match((await focused()).text, /Skip to the content/);
  await keyboard.press("Enter");
  assert.equal((await focused()).id, "main");
});

step("on the map N goes from container to container, and says which", async () => {
  await tabTo("the map", ({ testid }) => testid === "map");
  await keyboard.press("n");
  const said = visitor.get("map-said");
  const first = await until("the first is said", async () => (await said.textContent()) || null);
  await keyboard.press("n");
  const second = await until("the second is said", async () => (await said.textContent()) !== first && (await said.textContent()));
  assert.notEqual(second, first);
  const zoom = () => visitor.page.evaluate(() => window.__console.view().zoom);
  const before = await zoom();
  await keyboard.press("+");
  await until("the map comes nearer", async () => (await zoom()) > before);
  await keyboard.press("0");
  await until("the map shows all again", async () => Math.abs((await zoom()) - before) < 0.5);
});

step("the list is gone through with arrows, and Enter opens a container", async () => {
  await tabTo("the search", ({ testid }) => testid === "search");
  await keyboard.type(ID);
  await until("one row is left", async () => (await visitor.page.locator('[data-testid^="row-"]').count()) === 1);
  await tabTo("the list", ({ testid }) => testid === "list");
  await keyboard.press("ArrowDown");
  await keyboard.press("Enter");
  await until("its page is open", async () => (await visitor.get("device-title").textContent()) === ID);
});

step("the charts are read by keyboard", async () => {
  await until("the charts are there", async () => Number(await visitor.get("chart-temperature").getAttribute("data-points")) >= 3);
  await tabTo("the charts", ({ testid }) => testid === "charts");
  const before = await visitor.get("charts").textContent();
  await keyboard.press("ArrowLeft");
  await until("a value is told", async () => (await visitor.get("charts").textContent()) !== before);
});

step("the twin is edited and saved", async () => {
  await tabTo("the desired properties", ({ testid }) => testid === "twin-desired");
  await until("they are there", async () => (await visitor.get("twin-desired").inputValue()) !== "");
  const desired = JSON.parse(await visitor.get("twin-desired").inputValue());
  await keyboard.press("Control+A");
  await keyboard.insertText(JSON.stringify({ ...desired, telemetryInterval: 3 }));
  await keyboard.press("Control+Enter");
  await until("the device has answered", async () => (await visitor.api(`devices/${ID}/twin`)).properties.reported.telemetryInterval?.value === 3);
  await visitor.page.locator('[data-testid="twin-answer-telemetryInterval"][data-state="accepted"]').waitFor();
});

step("the device is disabled, and enabled again", async () => {
  await tabTo("Disable", ({ testid }) => testid === "device-disable");
  await keyboard.press("Enter");
  await tabTo("the answer yes", ({ testid }) => testid === "dialog-yes");
  await keyboard.press("Enter");
  await visitor.rowIs(ID, "is disabled", (row) => ["disabled", "refused"].includes(row.state));
  await tabTo("Enable", ({ testid }) => testid === "device-enable");
  await keyboard.press("Enter");
  if (await visitor.get("dialog-yes").isVisible()) {
    await tabTo("the answer yes", ({ testid }) => testid === "dialog-yes");
    await keyboard.press("Enter");
  }
  await visitor.rowIs(ID, "is well again", (row) => row.state === "ok");
});

step("a black hole begins and ends", async () => {
  await tabTo("the link to Trouble", ({ tag, text }) => tag === "A" && text === "Trouble");
  await keyboard.press("Enter");
  await tabTo("whom it strikes", ({ testid }) => testid === `fault-device-${ID}` || testid === "fault-all");
  await keyboard.press("Space");
  await tabTo("its start", ({ testid }) => testid === "fault-start");
  await keyboard.press("Enter");
  await until("it is in force", async () => (await visitor.api("faults")).faults.length === 1);
  await visitor.get("fault-stop").waitFor();
  await tabTo("its end", ({ testid }) => testid === "fault-stop");
  await keyboard.press("Enter");
  await until("it is over", async () => (await visitor.api("faults")).faults.length === 0);
});

step("nothing was complained of, and nobody else was asked", () => visitor.leave());

/** Presses Tab until the focus is on what is meant; on the way each that has the focus is seen to have it. */
async function tabTo(what, isIt) {
  for (let press = 0; press < FAR; press += 1) {
    const now = await focused();
    if (isIt(now)) return;
    await keyboard.press("Tab");
    const next = await focused();
    assert.ok(next.isMarked, `nobody sees that the focus is on ${describe(next)}`);
  }
  assert.fail(`Tab does not reach ${what}`);
}

function describe({ tag, testid, text }) {
  return `<${tag.toLowerCase()}${testid ? ` data-testid="${testid}"` : ""}> ${text.slice(0, 40)}`;
}

/** What has the focus, and whether one sees that. */
function focused() {
  return visitor.page.evaluate(() => {
    const element = document.activeElement ?? document.body;
    const style = getComputedStyle(element);
    const hasOutline = style.outlineStyle !== "none" && Number.parseFloat(style.outlineWidth) > 0;
    return {
      tag: element.tagName, id: element.id, testid: element.dataset.testid ?? null, text: (element.textContent ?? "").trim(),
      // After the last element the focus leaves the page, and the browser shows its own.
      isMarked: element === document.body || hasOutline || style.boxShadow !== "none",
    };
  });
}
