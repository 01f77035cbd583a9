// Takes pictures of the page with a fleet that is made up: `node dev/shots.mjs FOLDER [name…]`.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { openPage, launch } from "./browser.mjs";
import { startMock } from "./mock.mjs";

const WIDE = { width: 1440, height: 900 };
const PHONE = { width: 375, height: 740 };
const SHOTS = {
  fleet: { count: 40 },
  dark: { count: 40, colorScheme: "dark" },
  phone: { count: 40, viewport: PHONE },
  map: { count: 40, act: (page) => page.click(".segmented button:has-text('Map')") },
  list: { count: 40, act: (page) => page.click(".segmented button:has-text('List')") },
  tablet: { count: 40, viewport: { width: 1024, height: 768 } },
  phoneDark: { count: 40, viewport: PHONE, colorScheme: "dark" },
  many: { count: 10_000 },
  manyDark: { count: 10_000, colorScheme: "dark" },
  two: { count: 2 },
  none: { count: 0 },
  hostile: { count: 12, hostile: true },
  harbour: { count: 40, act: (page) => page.evaluate(() => window.__console.look({ ...window.__console.view(), x: (4.03 + 180) / 360, y: 0.33095, zoom: 11 })) },
  history: { count: 40, act: async (page) => {
    await page.click('[data-testid="history"]');
    await page.locator(".history-slider").fill("620");
  } },
  keyboard: { count: 40, act: async (page) => {
    await page.focus('[data-testid="map"]');
    for (let press = 0; press < 9; press += 1) await page.keyboard.press("n");
  } },
  chosen: { count: 40, act: async (page) => {
    const at = await page.evaluate(() => window.__console.positions().find(({ isClustered }) => !isClustered));
    await page.mouse.click(at.x, at.y + (await page.locator('[data-testid="map"]').boundingBox()).y);
  } },
};

const [folder = "shots", ...names] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await launch();
for (const name of names.length > 0 ? names : Object.keys(SHOTS)) {
  const { count, hostile = false, viewport = WIDE, colorScheme = "light", act } = SHOTS[name];
  const mock = await startMock({ count, hostile });
  const { page, errors } = await openPage(browser, mock.url, { viewport, colorScheme });
  await page.waitForTimeout(1500);
  await act?.(page);
  await page.waitForTimeout(1200);
  await page.screenshot({ path: join(folder, `${name}.png`) });
  for (const error of errors) console.error(`${name}: ${error}`);
  await page.context().close();
  await mock.close();
}
await browser.close();
