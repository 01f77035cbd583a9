// What devices send is text, and nothing else: identities, cargo, places and stories full of markup, at a server that plays
// a console whose cloud takes such names (Azure's own takes none), and a twin full of markup at the real one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startMock } from "../../dev/mock.mjs";
import { simulation } from "./laboratory.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const MARKUP = '<img src=x onerror="window.__struck = true"><script>window.__struck = true</script>&amp;';

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

test("identities of markup are text in list, map, page and title", async () => {
  const mock = await startMock({ count: 12, hostile: true, interval: 0 });
  const visitor = await Visitor.arrive(browser);
  await visitor.open(mock.url);
  const hostile = [...mock.fleet.devices.keys()].filter((id) => id.includes("<"));
  assert.ok(hostile.length > 0);
  for (const id of hostile) {
    await visitor.go("#/");
    await visitor.get("search").waitFor();
    await until(`${id} stands in the list`, async () => (await visitor.page.locator(".list").textContent()).includes(id));
    await harmless(visitor.page);
    await visitor.go(`#/device/${encodeURIComponent(id)}`);
    await until("its title is its ID", async () => (await visitor.get("device-title").textContent()) === id);
    await harmless(visitor.page);
    for (const hash of [`#/device/${encodeURIComponent(id)}/report`, "#/enrollment", "#/trouble"]) {
      await visitor.go(hash);
      await until("the page is there", async () => (await visitor.page.locator("main h1").count()) > 0);
      await harmless(visitor.page);
    }
  }
  await visitor.leave();
  await mock.close();
});

test("a twin and a payload of markup are text", async () => {
  const laboratory = simulation();
  const visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
  await visitor.rowIs("sensor-thl-001", "is connected", (row) => row.connection === "connected");
  await visitor.go("#/device/sensor-thl-001");
  const area = visitor.get("twin-desired");
  await until("the twin is there", async () => (await area.inputValue()) !== "");
  const desired = JSON.parse(await area.inputValue());
  await area.fill(JSON.stringify({ ...desired, container: MARKUP, note: { text: MARKUP } }));
  await visitor.get("twin-save").click();
  await until("the twin shows it", async () => (await visitor.get("twin").textContent()).includes("onerror"));
  await visitor.get("method-name").fill("ping");
  await visitor.get("method-payload").fill(JSON.stringify(MARKUP));
  await visitor.get("method-call").click();
  await until("the answer shows it", async () => (await visitor.get("method-answers").textContent()).includes("onerror"));
  await harmless(visitor.page);
  await visitor.leave();
  await laboratory.stop();
});

/** No script of a stranger has run, and no element is there that the page's own script did not make. */
async function harmless(page) {
  const found = await page.evaluate(() => ({
    struck: window.__struck === true,
    scripts: [...document.scripts].map(({ src }) => new URL(src, location.href).pathname),
    strange: document.querySelectorAll("img, iframe, object, embed, base, style, [onerror], [onload], [onclick]").length,
    meta: document.querySelectorAll("meta[http-equiv]").length,
  }));
  assert.deepEqual(found, { struck: false, scripts: ["/app.js"], strange: 0, meta: 0 });
}
