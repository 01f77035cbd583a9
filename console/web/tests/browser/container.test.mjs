// One container in Chromium: its charts, its twin, its alarms, and what the page does when things go wrong.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MARKUP } from "../../dev/fleet.mjs";
import { launch } from "../../dev/browser.mjs";
import { answerWith, faults, overflow, refusal, withPage } from "./with-page.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

const HERE = "#/device/tracker-002";
const chart = (page) => page.getByTestId("chart-temperature");
const drawn = (page) => page.waitForFunction(() => Number(document.querySelector('[data-testid="chart-temperature"]')?.dataset.points) > 10);
const spans = (mock) => mock.requests.filter((request) => request.includes("/series?")).map((request) => {
  const query = new URL(request.split(" ")[1], "http://localhost").searchParams;
  return [Date.parse(query.get("from")), Date.parse(query.get("to")), Number(query.get("points"))];
});

test("charts are filled, and ask for no more points than they have pixels", () =>
  withPage(browser, HERE, {}, async (page, mock) => {
    await drawn(page);
    for (const field of ["humidity", "pressure", "speed"]) assert.ok(await page.getByTestId(`chart-${field}`).locator("canvas").isVisible());
    const { width } = await chart(page).boundingBox();
    const [[from, to, points]] = spans(mock);
    assert.ok(points <= width && points > width / 2, `${points} of ${width}`);
    assert.equal(Math.round((to - from) / 86_400_000), 21);
    assert.match(await chart(page).getAttribute("aria-label"), /^Temperature from .* UTC\).*: .*\s°C, mean/);
  }));

test("the keyboard zooms, moves and reads out; a brush zooms and a double click shows all", () =>
  withPage(browser, HERE, {}, async (page, mock) => {
    await drawn(page);
    await page.getByTestId("charts").focus();
    const length = () => {
      const [from, to] = spans(mock).at(-1);
      return Math.round((to - from) / 3_600_000);
    };
    const seen = async (hours) => assert.ok(await page.waitForFunction(() => true) && (await eventually(() => length() === hours)), `${length()} ≠ ${hours}`);
    await page.keyboard.press("+");
    await page.keyboard.press("+");
    await seen(126);
    const [from] = spans(mock).at(-1);
    await page.keyboard.press("ArrowLeft");
    assert.ok(await eventually(() => spans(mock).at(-1)[0] < from));
    await page.keyboard.press("Shift+ArrowRight");
    await page.waitForFunction(() => /Temperature .*°C.*Relative humidity/.test(document.querySelector(".panel [aria-live]").textContent));
    await page.keyboard.press("0");
    await seen(504);
    const box = await chart(page).locator(".u-over").boundingBox();
    await page.mouse.move(box.x + box.width * 0.25, box.y + 40);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 60, { steps: 4 });
    await page.mouse.up();
    await seen(126);
    await page.mouse.dblclick(box.x + box.width / 2, box.y + 40);
    await seen(504);
  }));

test("a desired property is edited in place and answered", () =>
  withPage(browser, HERE, {}, async (page, mock) => {
    const area = page.getByTestId("twin-desired");
    const answer = page.getByTestId("twin-answer-telemetryInterval");
    await answer.waitFor();
    assert.equal(await answer.getAttribute("data-state"), "accepted");
    await area.fill("{");
    assert.ok((await page.locator("#twin-fault").textContent()).startsWith("It is no JSON: line 1"));
    assert.ok(await page.getByTestId("twin-save").isDisabled());
    await area.fill(JSON.stringify({ telemetryInterval: 0, evidence: true }));
    assert.match(await page.locator("#twin-news").textContent(), /telemetryInterval changes from 300 to 0/);
    await page.getByTestId("twin-save").click();
    await page.locator('[data-testid="twin-answer-telemetryInterval"][data-state="pending"]').waitFor();
    await page.locator('[data-testid="twin-answer-telemetryInterval"][data-state="refused"]').waitFor();
    assert.match(await answer.textContent(), /400.*0 is not a whole number.*In force: 300/s);
    assert.deepEqual(Object.keys(mock.fleet.devices.get("tracker-002").twin.properties.desired).sort(), ["$metadata", "$version", "evidence", "telemetryInterval"]);
  }));

test("what was edited and not saved is there again after a look elsewhere", () =>
  withPage(browser, HERE, {}, async (page) => {
    await page.getByTestId("twin-answer-telemetryInterval").waitFor();
    await page.getByTestId("twin-desired").fill('{"telemetryInterval": 7');
    await page.evaluate(() => (location.hash = "#/trouble"));
    await page.getByTestId("trouble").waitFor();
    await page.evaluate((to) => (location.hash = to), HERE);
    await page.getByText("not saved yet, are there again").waitFor();
    assert.equal(await page.getByTestId("twin-desired").inputValue(), '{"telemetryInterval": 7');
    await page.getByRole("button", { name: "Undo changes" }).click();
    assert.equal(JSON.parse(await page.getByTestId("twin-desired").inputValue()).telemetryInterval, 300);
  }));

test("somebody else's change is kept: ours goes on top of it, and is saved by a second word", () =>
  withPage(browser, HERE, { mayComplain: true }, async (page, mock) => {
    const area = page.getByTestId("twin-desired");
    await page.getByTestId("twin-answer-telemetryInterval").waitFor();
    const { twin } = mock.fleet.devices.get("tracker-002");
    Object.assign(twin, { etag: '"other"' });
    Object.assign(twin.properties.desired, { evidence: false, firmware: "2.0.0" });
    await area.fill((await area.inputValue()).replace("300", "60"));
    await page.getByTestId("twin-save").click();
    await page.locator("#twin-fault", { hasText: "Somebody has changed the twin meanwhile" }).waitFor();
    const text = JSON.parse(await area.inputValue());
    assert.deepEqual([text.telemetryInterval, text.evidence, text.firmware], [60, false, "2.0.0"]);
    await page.getByTestId("twin-save").click();
    await page.locator('[data-testid="twin-answer-telemetryInterval"][data-state="accepted"]', { hasText: "version 5" }).waitFor();
    assert.equal(twin.properties.desired.firmware, "2.0.0");
  }));

test("an alarm is acknowledged with a name, by keyboard; the focus stays in the dialog and comes back", () =>
  withPage(browser, "#/device/tracker-001", { prepare: (mock) => { mock.fleet.devices.get("tracker-001").row.alarms = [{ name: "temperature", severity: "critical", since: "2026-11-12T04:00:00.000Z", isAcknowledged: false, by: null }]; } }, async (page, mock) => {
    const button = page.getByTestId("acknowledge-temperature");
    await button.focus();
    await page.keyboard.press("Enter");
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    for (let step = 0; step < 6; step += 1) {
      await page.keyboard.press("Tab");
      assert.ok(await page.evaluate(() => document.activeElement === document.body || document.querySelector("dialog").contains(document.activeElement)));
    }
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.ok(await button.evaluate((element) => element === document.activeElement));
    await page.keyboard.press("Enter");
    await page.getByLabel("Your name").fill("Mara");
    await page.keyboard.press("Enter");
    await page.getByText("acknowledged by Mara").first().waitFor();
    assert.ok(mock.requests.some((request) => request.startsWith("POST /api/devices/tracker-001/acknowledge")));
  }));

test("a method is called, and what is no JSON is not sent", () =>
  withPage(browser, HERE, {}, async (page, mock) => {
    await page.getByTestId("method-name").fill("ping");
    await page.getByTestId("method-payload").fill("{oops");
    await page.getByTestId("method-call").click();
    await page.getByText("The payload is no JSON.").waitFor();
    await page.getByTestId("method-payload").fill('{"a": "<b>1</b>"}');
    await page.getByTestId("method-call").click();
    await page.getByTestId("method-answers").getByText("<b>1</b>").waitFor();
    assert.equal(mock.requests.filter((request) => request.includes("/methods")).length, 1);
    await page.getByTestId("verify").click();
    await page.getByTestId("verdict").waitFor();
  }));

test("what a device sends is text, on every page of it", () =>
  withPage(browser, `#/device/${encodeURIComponent(MARKUP)}`, { hostile: true, prepare: (mock) => { mock.fleet.devices.get(MARKUP).story.push({ id: 1, device: MARKUP, time: "2026-11-12T05:00:00.000Z", kind: "operator", text: MARKUP, severity: null, alarm: null, state: null, begin: null, extreme: null, limit: null, at: null }); } }, async (page) => {
    assert.equal(await page.getByTestId("device-title").textContent(), MARKUP);
    await page.locator(".story-text", { hasText: MARKUP }).waitFor();
    for (const hash of [`#/device/${encodeURIComponent(MARKUP)}/report`, "#/enrollment", "#/trouble"]) {
      await page.evaluate((to) => (location.hash = to), hash);
      await page.getByText(hash.includes("report") ? "Voyage report, so far" : MARKUP).first().waitFor();
    }
    assert.equal(await page.locator("img, script:not([src])").count(), 0);
    assert.equal(await page.evaluate(() => window.__markup), undefined);
  }));

test("a link that may only look has no control that changes anything", () => {
  const can = { twin: false, methods: false, messages: false, enrollments: false, faults: false, time: false, verify: false, scenario: false };
  return withPage(browser, HERE, { session: { readOnly: true, can } }, async (page) => {
    await page.getByTestId("twin-answer-telemetryInterval").waitFor();
    await page.getByText("This link is read only").first().waitFor();
    for (const name of ["device-disable", "device-deprovision", "twin-save", "twin-desired", "method-call", "message-send", "verify"]) assert.equal(await page.getByTestId(name).count(), 0, name);
    assert.equal(await page.getByText("Acknowledge").count(), 0);
  });
});

test("a device that is deleted while it is looked at is said to be gone", () =>
  withPage(browser, HERE, {}, async (page, mock) => {
    await page.getByTestId("device-deprovision").click();
    await page.getByTestId("dialog-yes").click();
    await page.getByText("This device is not there any more").waitFor();
    assert.equal(await page.getByTestId("device-disable").count(), 0);
    assert.equal(mock.fleet.devices.has("tracker-002"), false);
    await drawn(page);
  }));

test("what can't be had is said where it is missing, and the rest is there", () =>
  withPage(browser, "", { mayComplain: true }, async (page) => {
    await answerWith(page, "**/api/devices/*/series*", 503, refusal("away", "The history does not answer."));
    await answerWith(page, "**/api/devices/*/twin", 503, refusal("away", "The hub does not answer."));
    await answerWith(page, "**/api/devices/*/trips", 422, refusal("invalid", "It must be a name.", "trip"));
    await answerWith(page, "**/api/devices/*/story*", 500, "no sentence at all");
    await page.evaluate((to) => (location.hash = to), HERE);
    await page.getByText("The charts can't be fetched: The history does not answer.").waitFor();
    await page.getByText("The twin can't be fetched: The hub does not answer.").waitFor();
    await page.getByText("Reports can't be fetched: trip: It must be a name.").waitFor();
    await page.getByText("The story can't be fetched: The console answered 500").waitFor();
    assert.ok(await page.getByTestId("device-title").isVisible());
  }));

test("a device that nobody knows is said to be none", () =>
  withPage(browser, "#/device/nobody", { mayComplain: true }, async (page) => {
    await page.getByText("There is no device nobody.").waitFor();
    await page.evaluate(() => (location.hash = "#/device/nobody/report"));
    await page.getByText("There is no device nobody.").waitFor();
  }));

test("an empty history, and a hub without telemetry, say so", () =>
  withPage(browser, "", { session: { mode: "hub", telemetry: { isAvailable: false, reason: "The program does not read AMQP yet." } } }, async (page, mock) => {
    const { row } = mock.fleet.devices.get("tracker-002");
    Object.assign(row, { lastReading: null, temperature: null, humidity: null, pressure: null, speed: null, at: null, state: "new", alarms: [], spark: [] });
    await answerWith(page, "**/api/devices/tracker-002", 200, { row, identity: null, registration: null, fields: [], first: null, last: null });
    await answerWith(page, "**/api/devices/*/track*", 200, { points: [] });
    await page.evaluate((to) => (location.hash = to), HERE);
    await page.getByText("The program does not read AMQP yet.").waitFor();
    await page.getByText("No position is known.").waitFor();
    await page.evaluate((to) => (location.hash = to), `${HERE}/report`);
    await page.getByText("Voyage report").first().waitFor();
  }));

test("a clock of 1970, values that are none, and weeks without a position", () =>
  withPage(browser, "", {}, async (page) => {
    const times = [1_794_000_000, 1_794_000_300, 1_794_000_600, 1_794_000_900];
    await answerWith(page, "**/api/devices/tracker-002", 200, {
      row: { id: "tracker-002", hub: "", state: "ok", connection: "connected", cargo: null, container: null, place: null, at: null, course: null, speed: null, temperature: null, humidity: null, pressure: null, door: null, spark: [], alarms: [], backlog: null, lastSeen: null, lastReading: null, firmware: null, certificateDays: -4, enrollment: null, refusal: null, profile: { name: "odd", low: null, high: null } },
      identity: null, registration: null, fields: ["temperature"], first: "1970-01-01T00:00:09.000Z", last: "2026-11-07T00:00:00.000Z",
    });
    await answerWith(page, "**/api/devices/*/series*", 200, { from: "", to: "", step: 300, fields: { temperature: { t: times, min: [null, 4, null, 5], mean: [null, 4, null, 5], max: [null, 4, null, 5] } } });
    await answerWith(page, "**/api/devices/*/track*", 200, { points: [[4, 52, 1], null, [null, null, 2], [-9, 38, 9e6]] });
    await page.evaluate((to) => (location.hash = to), HERE);
    await page.getByText("Readings of a clock that was never set").waitFor();
    assert.equal(await chart(page).getAttribute("data-points"), "2");
    assert.doesNotMatch(await page.locator("main").textContent(), /NaN|undefined|Invalid/);
  }));

test("axe finds nothing serious, light, dark and narrow, and nothing is wider than the window", async () => {
  for (const context of [{ colorScheme: "light" }, { colorScheme: "dark" }, { viewport: { width: 375, height: 760 } }]) {
    await withPage(browser, "", {}, async (page) => {
      for (const [hash, name] of [[HERE, "device"], [`${HERE}/report`, "report"], ["#/enrollment", "enrollment"], ["#/trouble", "trouble"]]) {
        await page.evaluate((to) => (location.hash = to), hash);
        await page.getByTestId(name).locator("h2").first().waitFor();
        await page.waitForTimeout(400);
        assert.deepEqual(await faults(page), [], `${name} ${JSON.stringify(context)}`);
        assert.ok((await overflow(page)) <= 0, `${name} ${JSON.stringify(context)}`);
        assert.equal(await page.locator("h1").count(), 1, name);
      }
    }, context);
  }
});

/** Whether a condition comes to hold. */
async function eventually(holds) {
  for (let step = 0; step < 100; step += 1) {
    if (holds()) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}
