// Opens the page in Chromium on a fleet of its own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { openPage } from "../../dev/browser.mjs";
import { startMock } from "../../dev/mock.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Calls `act(page, mock)` at an address, and closes both afterwards; the page's console must have stayed silent. */
export async function withPage(browser, hash, options, act, context = {}) {
  const mock = await startMock({ interval: 0, count: 8, ...options });
  options.prepare?.(mock);
  const { page, errors } = await openPage(browser, `${mock.url}${hash}`, context);
  try {
    await act(page, mock);
    if (!options.mayComplain) assert.deepEqual(errors, [], "the page's console");
  } finally {
    await page.context().close();
    await mock.close();
  }
}

/** What axe finds that is serious or critical. */
export async function faults(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.filter(({ impact }) => impact === "serious" || impact === "critical").map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}

/** Pixels by which the page is wider than the window. */
export function overflow(page) {
  return page.evaluate(() => document.querySelector("main").scrollWidth - document.querySelector("main").clientWidth);
}

/** Answers calls that match with this, as if the server did. */
export function answerWith(page, pattern, status, body) {
  return page.route(pattern, (route) => route.fulfill({ status, contentType: "application/json", body: JSON.stringify(body) }));
}

export const refusal = (code, message, member = null) => ({ error: { code, message, member } });
