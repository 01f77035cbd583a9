// The page in Chromium, against a server with a fleet that is made up: what it shows, and what it does when things go wrong.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { MARKUP } from "../../dev/fleet.mjs";
import { launch, openPage } from "../../dev/browser.mjs";
import { startMock } from "../../dev/mock.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** Opens the page on a fleet of its own, and closes both afterwards; the page's console must have stayed silent. */
async function withPage(options, act, context = {}) {
  const mock = await startMock({ interval: 0, ...options });
  const { page, errors } = await openPage(browser, mock.url, context);
  const foreign = [];
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(mock.url) && !url.startsWith("data:") && !url.startsWith("blob:")) foreign.push(url);
  });
  try {
    await act(page, mock);
    assert.deepEqual(foreign, [], "requests to anywhere else");
    if (!options.mayComplain) assert.deepEqual(errors, [], "the page's console");
  } finally {
    await page.context().close();
    await mock.close();
  }
}

const list = (page) => page.getByTestId("list");
const ids = (page) => page.locator(".list-body .list-row").evaluateAll((rows) => rows
  .sort((a, b) => a.getAttribute("aria-rowindex") - b.getAttribute("aria-rowindex")).map((row) => row.dataset.testid.slice(4)));
const positions = (page) => page.evaluate(() => window.__console.positions());
const waitForMap = (page) => page.waitForFunction(() => window.__console?.positions().length > 0);

test("markup in a device's ID, cargo and place is text", () =>
  withPage({ count: 5, hostile: true, mayComplain: false }, async (page, mock) => {
    const row = page.getByTestId(`row-${MARKUP}`);
    await row.waitFor();
    assert.equal(await row.locator(".list-name").textContent(), MARKUP);
    const text = await row.textContent();
    assert.ok(text.includes("<b>Bananas</b>") && text.includes("<script>window.__markup=1</script>") && text.includes("&lt;1.0"), text);
    // Its card and what is said of it too.
    await waitForMap(page);
    await page.getByTestId("search").fill("img");
    await page.waitForFunction(() => window.__console.positions().length === 1);
    await page.getByTestId("map").focus();
    await page.keyboard.press("n");
    await page.locator(".map-card").waitFor();
    assert.ok((await page.locator(".map-card").textContent()).includes(MARKUP));
    assert.ok((await page.getByTestId("map-said").textContent()).includes(MARKUP));
    // And what an error says.
    mock.send("delta", { time: "2026-11-12T06:00:01Z", devices: [], gone: [], entries: [] });
    assert.equal(await page.locator("img, script:not([src]), b").count(), 0);
    assert.equal(await page.evaluate(() => window.__markup), undefined);
  }));

test("markers move as the fleet does, to where the last message says", () =>
  withPage({ count: 2, speed: 20 }, async (page, mock) => {
    await waitForMap(page);
    const before = await positions(page);
    assert.equal(before.length, 2);
    mock.step(1, 1);
    await page.waitForFunction(
      (held) => window.__console.positions().every(({ id, lon }) => lon !== held.find((other) => other.id === id).lon), before);
    await page.waitForTimeout(700);
    for (const { id, lon, lat } of await positions(page)) {
      const { at } = mock.fleet.devices.get(id).row;
      assert.ok(Math.abs(lon - at[0]) < 1e-3 && Math.abs(lat - at[1]) < 1e-3, `${id}: ${lon}, ${lat} for ${at}`);
    }
  }));

test("a ship that passes 180° does not cross the map", () =>
  withPage({ count: 2 }, async (page, mock) => {
    await waitForMap(page);
    const delta = (lon) => mock.send("delta", { time: "2026-11-12T06:00:01Z", devices: [{ id: "tracker-001", at: [lon, 30] }], gone: [], entries: [] });
    delta(179.5);
    await page.waitForFunction(() => window.__console.positions().some(({ lon }) => Math.abs(lon - 179.5) < 1e-6));
    await page.evaluate(() => {
      window.__console.look({ ...window.__console.view(), x: 1, y: 0.42, zoom: 5 });
      window.__lons = [];
      const watch = () => {
        window.__lons.push(window.__console.positions().find(({ id }) => id === "tracker-001")?.lon);
        requestAnimationFrame(watch);
      };
      setTimeout(watch, 500);
    });
    await page.waitForTimeout(600);
    delta(-179.5);
    await page.waitForFunction(() => window.__console.positions().some(({ lon }) => Math.abs(lon + 179.5) < 1e-6));
    const lons = await page.evaluate(() => window.__lons);
    assert.ok(lons.length > 3 && lons.every((lon) => Math.abs(lon) > 179.4), String(lons));
    assert.ok(lons.some((lon) => Math.abs(lon) > 179.6), "it was seen on its way");
  }));

test("with less motion wished for, markers and the map are there at once", () =>
  withPage({ count: 2 }, async (page, mock) => {
    await waitForMap(page);
    await page.evaluate(() => {
      window.__console.look({ ...window.__console.view(), x: 0.5, y: 0.42, zoom: 6 });
      window.__zoom = window.__console.view().zoom;
      window.__lons = new Set();
      const watch = () => {
        for (const { id, lon } of window.__console.positions()) if (id === "tracker-001") window.__lons.add(Math.round(lon * 1e4) / 1e4);
        requestAnimationFrame(watch);
      };
      watch();
    });
    assert.equal(await page.evaluate(() => window.__zoom), 6);
    for (const lon of [1, 2, 3]) {
      mock.send("delta", { time: "2026-11-12T06:00:01Z", devices: [{ id: "tracker-001", at: [lon, 27] }], gone: [], entries: [] });
      await page.waitForTimeout(150);
    }
    assert.deepEqual(await page.evaluate(() => [...window.__lons].filter((lon) => lon > 0.5 && lon < 3.5)), [1, 2, 3]);
  }, { reducedMotion: "reduce" }));

test("a stream that lagged is made good, and the page says so", () =>
  withPage({ count: 3 }, async (page, mock) => {
    await page.getByTestId("row-tracker-001").waitFor();
    const asked = () => mock.requests.filter((request) => request === "GET /api/fleet").length;
    const before = asked();
    mock.fleet.devices.get("tracker-001").row.cargo = "Changed while nobody looked";
    mock.send("lagged", { lost: 12 });
    await page.getByText("Changed while nobody looked").waitFor();
    assert.equal(asked(), before + 1);
    assert.equal(await page.getByTestId("live-state").getAttribute("data-live"), "live");
  }));

test("a console that ends is told, and its return too", () =>
  withPage({ count: 3, mayComplain: true }, async (page, mock) => {
    await page.getByTestId("row-tracker-001").waitFor();
    mock.isAway = true;
    mock.drop();
    await page.waitForSelector('[data-testid="live-state"][data-live="lost"]');
    assert.match(await page.getByTestId("live-state").textContent(), /^Not live/);
    mock.isAway = false;
    mock.fleet.devices.get("tracker-002").row.cargo = "After the return";
    await page.waitForSelector('[data-testid="live-state"][data-live="live"]', { timeout: 15_000 });
    await page.getByText("After the return").waitFor();
  }));

test("a link that has ended is said to have, at once and later", () =>
  withPage({ count: 2, mayComplain: true }, async (page, mock) => {
    await page.getByTestId("row-tracker-001").waitFor();
    mock.isEnded = true;
    mock.drop();
    await page.getByText("Not live: This link has ended").waitFor();
    await page.reload();
    await page.getByText("The console cannot be shown.").waitFor();
    await page.getByText("This link has ended: open the one that the program printed when it started.").waitFor();
  }));

test("an emulator that is away is told", () =>
  withPage({ count: 2, session: { away: "The emulator does not answer." } }, async (page) => {
    await page.getByText("Not live: The emulator does not answer.").waitFor();
  }));

test("10,000 rows are a list of few elements that reaches to the end", () =>
  withPage({ count: 10_000 }, async (page) => {
    await page.getByTestId("row-tracker-00022").waitFor();
    assert.equal(await list(page).getAttribute("aria-rowcount"), "10001");
    assert.ok((await page.locator(".list-body .list-row").count()) < 60);
    await list(page).focus();
    await page.keyboard.press("End");
    await page.waitForFunction(() => document.querySelector('[aria-rowindex="10001"]') !== null);
    const active = await page.evaluate(() => document.getElementById(document.querySelector('[role="grid"]').getAttribute("aria-activedescendant"))?.getAttribute("aria-rowindex"));
    assert.equal(active, "10001");
    await page.getByTestId("search").fill("tracker-09999");
    await page.getByTestId("row-tracker-09999").waitFor();
    await page.waitForFunction(() => document.querySelector('[role="grid"]').getAttribute("aria-rowcount") === "2");
  }));

test("the list sorts by every column, both ways", () =>
  withPage({ count: 40 }, async (page) => {
    await page.getByTestId("row-tracker-001").first().waitFor({ state: "attached" });
    await page.locator(".segmented button", { hasText: "List" }).click();
    for (const head of await page.getByRole("columnheader").all()) {
      const orders = new Set();
      for (let press = 0; press < 2; press += 1) {
        await head.getByRole("button").click();
        await page.waitForTimeout(60);
        orders.add(await head.getAttribute("aria-sort"));
        orders.add((await ids(page)).slice(0, 8).join());
      }
      assert.ok(orders.has("ascending") && orders.has("descending"));
      assert.equal(orders.size, 4, `the order changes: ${await head.textContent()}`);
    }
  }, { viewport: { width: 1500, height: 700 } }));

test("a state that is pressed filters list and map", () =>
  withPage({ count: 40 }, async (page, mock) => {
    await waitForMap(page);
    await page.getByTestId("state-refused").click();
    const refused = [...mock.fleet.devices.values()].filter(({ row }) => row.state === "refused").map(({ row }) => row.id).sort();
    await page.waitForFunction((count) => document.querySelector('[role="grid"]').getAttribute("aria-rowcount") === String(count + 1), refused.length);
    assert.deepEqual((await ids(page)).sort(), refused);
    await page.waitForFunction((count) => window.__console.positions().length === count, refused.length);
  }));

test("keyboard only: a container found on the map and in the list, and opened", () =>
  withPage({ count: 40 }, async (page) => {
    await waitForMap(page);
    const reach = async (test) => {
      for (let press = 0; press < 40; press += 1) {
        await page.keyboard.press("Tab");
        if ((await page.evaluate(() => document.activeElement?.dataset.testid)) === test) return;
      }
      assert.fail(`${test} is not reached by Tab`);
    };
    await reach("map");
    const view = () => page.evaluate(() => window.__console.view());
    const before = await view();
    await page.keyboard.press("+");
    await page.waitForFunction((zoom) => window.__console.view().zoom > zoom + 0.4, before.zoom);
    await page.keyboard.press("0");
    await page.waitForFunction((zoom) => Math.abs(window.__console.view().zoom - zoom) < 1e-6, before.zoom);
    await page.keyboard.press("n");
    const said = await page.getByTestId("map-said").textContent();
    assert.match(said, /^MSKU .*1 of \d+ in sight\.$/);
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => location.hash.startsWith("#/device/"));
    await page.goBack();
    await waitForMap(page);
    await reach("list");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => location.hash.startsWith("#/device/"));
  }));

test("the wheel zooms about the pointer, dragging moves the map, a click marks a container", () =>
  withPage({ count: 2 }, async (page) => {
    await waitForMap(page);
    const box = await page.getByTestId("map").boundingBox();
    const first = async () => (await positions(page)).find(({ id }) => id === "tracker-001");
    const before = await first();
    await page.mouse.move(box.x + before.x, box.y + before.y);
    await page.mouse.wheel(0, -300);
    await page.waitForFunction((zoom) => window.__console.view().zoom > zoom, 2.5);
    await page.waitForTimeout(200);
    const zoomed = await first();
    assert.ok(Math.hypot(zoomed.x - before.x, zoomed.y - before.y) < 2, JSON.stringify([before, zoomed]));
    const middle = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(...middle);
    await page.mouse.down();
    await page.mouse.move(middle[0] - 60, middle[1] + 30, { steps: 6 });
    await page.mouse.move(middle[0] - 120, middle[1] + 40, { steps: 6 });
    await page.mouse.up();
    await page.waitForTimeout(100);
    const moved = await first();
    assert.ok(Math.abs(moved.x - zoomed.x + 120) < 8 && Math.abs(moved.y - zoomed.y - 40) < 8, JSON.stringify([zoomed, moved]));
    await page.mouse.click(box.x + moved.x, box.y + moved.y);
    await page.locator(".map-card.is-pinned").waitFor();
    assert.equal(await page.getByTestId("row-tracker-001").getAttribute("aria-selected"), "true");
    await page.locator(".map-card a").click();
    await page.waitForFunction(() => location.hash === "#/device/tracker-001");
  }));

test("two fingers zoom the map", () =>
  withPage({ count: 2 }, async (page) => {
    await waitForMap(page);
    const before = await page.evaluate(() => window.__console.view());
    const box = await page.getByTestId("map").boundingBox();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const cdp = await page.context().newCDPSession(page);
    const touch = (type, away) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: away === null ? [] : [{ x: x - away, y, id: 1 }, { x: x + away, y, id: 2 }] });
    await touch("touchStart", 30);
    for (const away of [40, 60, 90, 120]) await touch("touchMove", away);
    await touch("touchEnd", null);
    await page.waitForFunction((zoom) => window.__console.view().zoom > zoom + 1, before.zoom);
    const after = await page.evaluate(() => window.__console.view());
    assert.ok(Math.abs(after.zoom - before.zoom - 2) < 0.4, `${before.zoom} to ${after.zoom}`);
  }, { hasTouch: true, viewport: { width: 375, height: 700 } }));

test("the history shows what was, and now again", () =>
  withPage({ count: 4, speed: 1 / 3600 }, async (page, mock) => {
    await page.getByTestId("row-tracker-001").waitFor();
    const now = await page.getByTestId("row-tracker-001").textContent();
    const entry = mock.fleet.tell(mock.fleet.devices.get("tracker-001"), "door", "Opened just now.", {});
    mock.send("delta", { time: entry.time, devices: [], gone: [], entries: [entry] });
    await page.getByText("Opened just now.").waitFor();
    await page.getByTestId("history").click();
    await page.locator(".history-slider").fill("300");
    await page.waitForFunction((held) => document.querySelector('[data-testid="row-tracker-001"]')?.textContent !== held, now);
    assert.ok(mock.requests.some((request) => request.startsWith("GET /api/fleet?at=")));
    assert.match(await page.locator(".history-time").textContent(), /UTC/);
    assert.equal(await page.getByText("Opened just now.").count(), 0);
    await page.getByText("Back to now").click();
    await page.waitForFunction((held) => document.querySelector('[data-testid="row-tracker-001"]')?.textContent === held, now);
  }));

test("time can be paused and sped up", () =>
  withPage({ count: 2 }, async (page, mock) => {
    await page.getByRole("button", { name: "Faster" }).click();
    await page.waitForFunction(() => document.querySelector('[data-testid="speed"]').textContent.startsWith("1"));
    assert.equal(mock.fleet.speed, 1);
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Go on" }).waitFor();
    assert.equal(mock.fleet.isPaused, true);
  }));

test("a fleet without devices says what would bring one", () =>
  withPage({ count: 0 }, async (page, mock) => {
    await page.getByTestId("empty").getByText("No devices yet").waitFor();
    const row = { ...(await startedRow()), id: "first" };
    mock.send("delta", { time: "2026-11-12T06:00:01Z", devices: [row], gone: [], entries: [] });
    await page.getByTestId("row-first").waitFor();
    assert.equal(await page.getByTestId("empty").getByText("No devices yet").isVisible(), false);
  }));

test("a thousand devices that arrive at once are all there", () =>
  withPage({ count: 0 }, async (page, mock) => {
    await page.getByTestId("empty").getByText("No devices yet").waitFor();
    const row = await startedRow();
    const devices = Array.from({ length: 1000 }, (_, at) => ({ ...row, id: `new-${at}`, at: [(at % 360) - 180, (at % 120) - 60] }));
    mock.send("delta", { time: "2026-11-12T06:00:01Z", devices, gone: [], entries: [] });
    await page.waitForFunction(() => document.querySelector('[role="grid"]').getAttribute("aria-rowcount") === "1001");
    await page.waitForFunction(() => window.__console.positions().length > 500);
  }));

test("a happening is listed with its text as text", () =>
  withPage({ count: 2 }, async (page, mock) => {
    await page.getByTestId("row-tracker-001").waitFor();
    const entry = mock.fleet.tell(mock.fleet.devices.get("tracker-001"), "alarm", "<i>hot</i>", { severity: "critical", state: "active" });
    mock.send("delta", { time: "2026-11-12T06:00:01Z", devices: [], gone: [], entries: [entry] });
    await page.getByTestId("happenings").getByText("<i>hot</i>").waitFor();
  }));

test("the map keeps all in sight until somebody looks elsewhere", () =>
  withPage({ count: 0 }, async (page, mock) => {
    await page.getByTestId("empty").waitFor();
    const row = await startedRow();
    const appear = (id, at) => mock.send("delta", { time: "2026-11-12T06:00:01Z", devices: [{ ...row, id, at }], gone: [], entries: [] });
    const drawn = (count) => page.waitForFunction((wished) => window.__console?.positions().length === wished, count);
    appear("first", [4, 52]);
    await drawn(1);
    appear("second", [-71, -33]);
    await drawn(2);
    await page.getByTestId("map").focus();
    for (const key of ["+", "+", "+"]) await page.keyboard.press(key);
    await page.waitForFunction(() => window.__console.positions().length < 2);
    const held = await page.evaluate(() => window.__console.view());
    appear("third", [100, 10]);
    await page.getByTestId("row-third").waitFor();
    await page.waitForTimeout(400);
    assert.ok((await page.evaluate(() => window.__console.view().zoom)) > held.zoom - 0.01);
    await page.keyboard.press("0");
    await drawn(3);
  }));

test("a hub without telemetry says why the map is empty", () =>
  withPage({ count: 0, session: { mode: "hub", telemetry: { isAvailable: false, reason: "Telemetry of a real hub is not read yet." }, time: { now: "2026-11-12T06:00:00Z", speed: null, isPaused: false } } }, async (page, mock) => {
    await page.getByTestId("empty").getByText("No devices yet").waitFor();
    mock.send("delta", { time: "2026-11-12T06:00:01Z", devices: [{ ...(await startedRow()), at: null }], gone: [], entries: [] });
    await page.getByText("Telemetry of a real hub is not read yet.").waitFor();
  }));

async function startedRow() {
  const mock = await startMock({ count: 1, interval: 0 });
  const [row] = mock.fleet.rows();
  await mock.close();
  return row;
}

for (const [name, context] of Object.entries({
  light: {}, dark: { colorScheme: "dark" }, "375 pixels": { viewport: { width: 375, height: 700 } },
})) {
  test(`nothing that axe finds grave, and nothing wider than the page: ${name}`, () =>
    withPage({ count: 40 }, async (page) => {
      await waitForMap(page);
      await page.getByTestId("history").click();
      await page.evaluate(AXE);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical" || impact === "moderate");
      assert.deepEqual(grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
    }, context));
}
