// A person with a browser: Debian's Chromium, driven by playwright-core, which downloads none of its own. Whatever the page
// asks of another host and whatever its console complains of is kept, and `leave` fails when there was any.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { launch as start } from "../../dev/browser.mjs";
import { PATIENCE, until } from "./until.mjs";

/** A folder whose files are shown in place of those that are built into the program: for work on the page. */
const PAGE = process.env.PAGE;
const SCREENSHOTS = process.env.SCREENSHOTS ?? "target/screenshots";
export const WIDE = { width: 1280, height: 800 };
export const PHONE = { width: 375, height: 740 };

export function launch() {
  // The shared memory of a container is often small.
  return start("--disable-dev-shm-usage");
}

export class Visitor {
  /** What the page's console complained of, and what was thrown and not caught. */
  errors = [];
  /** Requests to another host than the console's. */
  strangers = [];

  /** `isMoving`: with the animations that people see who have not asked their system for less motion. */
  static async arrive(browser, { isMoving = false, ...options } = {}) {
    const visitor = new Visitor();
    visitor.context = await browser.newContext({
      viewport: WIDE, locale: "en-GB", timezoneId: "Europe/Amsterdam", reducedMotion: isMoving ? "no-preference" : "reduce", acceptDownloads: true, ...options,
    });
    visitor.context.setDefaultTimeout(PATIENCE);
    if (PAGE) for (const file of readdirSync(PAGE)) await visitor.context.route(`**/${file}`, (route) => route.fulfill({ path: join(PAGE, file) }));
    visitor.page = await visitor.context.newPage();
    visitor.#watch();
    return visitor;
  }

  #watch() {
    this.page.on("pageerror", (error) => this.errors.push(String(error.stack ?? error)));
    this.page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(`${message.text()} (${message.location().url})`);
    });
    this.context.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (protocol.startsWith("http") && host !== this.host) this.strangers.push(request.url());
    });
  }

  /** Opens the console by its link and waits until what it shows is live. */
  async open(link) {
    this.host = new URL(link).host;
    this.origin = new URL(link).origin;
    await this.page.goto(link);
    await this.live();
  }

  /** Goes to a page of the console: `#/trouble`. */
  async go(hash) {
    await this.page.evaluate((to) => { location.hash = to; }, hash);
  }

  get(testid) {
    return this.page.getByTestId(testid);
  }

  /** Waits until the page says that it is live. */
  live() {
    return this.page.locator('[data-testid="live-state"][data-live="live"]').waitFor();
  }

  /** Where the map has drawn the devices last: `Map` of ID to {x, y, lon, lat, isClustered}. */
  async positions() {
    const drawn = await this.page.evaluate(() => window.__console?.positions?.() ?? []);
    return new Map(drawn.map((one) => [one.id, one]));
  }

  /** The API by the page's own cookie. */
  async api(path) {
    const response = await this.context.request.get(`${this.origin}/api/${path}`);
    assert.equal(response.status(), 200, `GET /api/${path}`);
    return response.json();
  }

  async row(id) {
    return (await this.api("fleet")).devices.find((row) => row.id === id);
  }

  /** Waits until a device's row is so. */
  async rowIs(id, what, isSo) {
    let row;
    try {
      return await until(`${id}: ${what}`, async () => {
        row = await this.row(id);
        return row !== undefined && isSo(row) ? row : null;
      });
    } catch (error) {
      error.message += `: ${JSON.stringify(row)}`;
      throw error;
    }
  }

  /** Keeps a picture; `isWhole`: of all that could be scrolled to. */
  async picture(name, { isWhole = false } = {}) {
    mkdirSync(SCREENSHOTS, { recursive: true });
    const size = this.page.viewportSize();
    // The header stays, and what is below it scrolls by itself: only a taller window shows all of it.
    const hidden = isWhole ? await this.page.evaluate(() => { const main = document.querySelector("main"); return main.scrollHeight - main.clientHeight; }) : 0;
    if (hidden > 0) await this.page.setViewportSize({ ...size, height: size.height + hidden });
    await this.page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    if (hidden > 0) await this.page.setViewportSize(size);
  }

  /** Leaves. Nothing was complained of, unless it is what the test has provoked, and nobody else was asked. */
  async leave({ provoked = [] } = {}) {
    await this.context.close();
    const errors = this.errors.filter((error) => !provoked.some((pattern) => pattern.test(error)));
    assert.deepEqual(errors, [], "the page's console complains");
    assert.deepEqual(this.strangers, [], "the page asks another host");
  }
}
