// axe-core on every page of the console, in light and dark, wide and at 375 px: no serious fault. Its script is put in by
// the browser's driver, as the page's content security policy lets no script in.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { simulation } from "./laboratory.mjs";
import { until } from "./until.mjs";
import { launch, PHONE, Visitor, WIDE } from "./visitor.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ID = "sensor-thl-001";
const ROUTES = [
  { name: "fleet", hash: "#/", isThere: (visitor) => visitor.get(`row-${ID}`).waitFor({ state: "attached" }) },
  { name: "container", hash: `#/device/${ID}`, isThere: (visitor) => visitor.get("chart-temperature").locator("canvas").first().waitFor() },
  { name: "report", hash: `#/device/${ID}/report`, isThere: (visitor) => visitor.get("report").getByRole("heading", { level: 1 }).waitFor() },
  { name: "enrollment", hash: "#/enrollment", isThere: (visitor) => visitor.get("enrollment").getByText("container-trackers").first().waitFor() },
  { name: "trouble", hash: "#/trouble", isThere: (visitor) => visitor.get("fault-start").waitFor() },
  { name: "nowhere", hash: "#/nowhere", isThere: (visitor) => visitor.page.getByText("There is no such page").waitFor() },
];
const LOOKS = [
  { name: "light", viewport: WIDE, colorScheme: "light" },
  { name: "dark", viewport: WIDE, colorScheme: "dark" },
  { name: "phone", viewport: PHONE, colorScheme: "light" },
  { name: "phone-dark", viewport: PHONE, colorScheme: "dark" },
];

let laboratory, browser, link;

before(async () => {
  // With alarms, places and evidence there is more on each page.
  laboratory = simulation("--story");
  browser = await launch();
  link = await laboratory.link();
  const visitor = await Visitor.arrive(browser);
  await visitor.open(link);
  await visitor.rowIs(ID, "has delivered", (row) => row.temperature !== null);
  await visitor.leave();
});

after(async () => {
  await browser?.close();
  await laboratory?.stop("SIGKILL");
});

for (const { name, ...look } of LOOKS) {
  test(`no serious fault on any page: ${name}`, async (context) => {
    const visitor = await Visitor.arrive(browser, look);
    await visitor.open(link);
    await visitor.page.evaluate(AXE);
    for (const route of ROUTES) {
      await context.test(route.name, async () => {
        await visitor.go(route.hash);
        await route.isThere(visitor);
        await visitor.picture(`${route.name}-${name}`, { isWhole: true });
        assert.deepEqual(await faults(visitor.page), []);
        const { wide, inner } = await visitor.page.evaluate(() => ({ wide: document.documentElement.scrollWidth, inner: innerWidth }));
        assert.ok(wide <= inner, `the page is ${wide} px wide, ${wide - inner} more than the window`);
      });
    }
    await visitor.leave();
  });
}

test("every page has a title of its own, one main heading, and a language", async () => {
  const visitor = await Visitor.arrive(browser);
  await visitor.open(link);
  const titles = new Set();
  for (const { hash, isThere } of ROUTES.slice(0, 5)) {
    await visitor.go(hash);
    await isThere(visitor);
    titles.add(await visitor.page.title());
    assert.equal(await visitor.page.locator("h1").count(), 1, `${hash} has one main heading`);
  }
  assert.equal(titles.size, 5);
  assert.equal(await visitor.page.locator("html").getAttribute("lang"), "en");
  await visitor.leave();
});

test("who asked for less motion gets none", async () => {
  const visitor = await Visitor.arrive(browser);
  await visitor.open(link);
  const moving = await visitor.page.evaluate(() => document.getAnimations().filter((animation) => animation.playState === "running" && Number(animation.effect?.getTiming().duration) > 50).length);
  assert.equal(moving, 0);
  await until("the page is drawn", () => visitor.get("map").isVisible());
  await visitor.leave();
});

/** What axe finds serious or critical, in sentences. */
async function faults(page) {
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.slice(0, 5).map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary?.split("\n")[1]?.trim()}`));
}
