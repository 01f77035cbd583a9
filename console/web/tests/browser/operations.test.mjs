// Enrollment, trouble on purpose, and the report that prints, in Chromium.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "../../dev/browser.mjs";
import { answerWith, refusal, withPage } from "./with-page.mjs";

let browser;
before(async () => {
  browser = await launch();
});
after(() => browser.close());

test("a group is disabled after a question that says what happens, and the focus stays at its button", () =>
  withPage(browser, "#/enrollment", {}, async (page, mock) => {
    await page.getByTestId("group-toggle-containers").focus();
    await page.keyboard.press("Enter");
    await page.getByText("Devices of this group can't register any more").waitFor();
    // Of what is dangerous the first key does nothing.
    assert.ok(await page.getByTestId("dialog-no").evaluate((element) => element === document.activeElement));
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByTestId("groups").getByText("Enable", { exact: true }).first().waitFor();
    assert.equal(mock.groups[0].provisioningStatus, "disabled");
    await page.waitForFunction(() => document.activeElement?.getAttribute("data-testid") === "group-toggle-containers");
  }));

test("a refusal of the service stays in the dialog as its sentence", () =>
  withPage(browser, "#/enrollment", { mayComplain: true }, async (page) => {
    await answerWith(page, "**/api/enrollment-groups/containers", 409, refusal("conflict", "Somebody else has changed the group."));
    await page.getByTestId("group-toggle-containers").click();
    await page.getByTestId("dialog-yes").click();
    await page.getByRole("dialog").getByText("Somebody else has changed the group.").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
  }));

test("several are deprovisioned at once, and all only by a word that is typed", () =>
  withPage(browser, "#/enrollment", { count: 30 }, async (page, mock) => {
    await page.getByLabel("Choose tracker-002").check();
    await page.getByLabel("Choose tracker-005").check();
    await page.getByTestId("chosen-deprovision").click();
    await page.getByText("Deprovision 2 devices?").waitFor();
    await page.getByTestId("dialog-yes").click();
    await page.getByText("28 devices").waitFor();
    assert.ok(!mock.fleet.devices.has("tracker-002") && !mock.fleet.devices.has("tracker-005"));
    await page.getByTestId("deprovision-all").click();
    await page.getByTestId("dialog-yes").click();
    await page.getByText("Type “deprovision all” to do it.").waitFor();
    assert.equal(mock.fleet.devices.size, 28);
    await page.getByLabel("Type “deprovision all”").fill("Deprovision all");
    await page.keyboard.press("Enter");
    await page.getByText("No device matches.").waitFor();
    assert.equal(mock.fleet.devices.size, 0);
  }));

test("refused devices are shown with their reason", () =>
  withPage(browser, "#/enrollment", { prepare: (mock) => { Object.assign(mock.fleet.devices.get("tracker-003").row, { state: "refused", refusal: "The certificate has expired." }); } }, async (page) => {
    await page.getByTestId("enrollment-devices").locator(".banner", { hasText: "The certificate has expired." }).waitFor();
  }));

test("a black hole fills a journal, and when it is stopped the journal drains", () =>
  withPage(browser, "#/trouble", {}, async (page) => {
    await page.getByTestId("fault-start").click();
    await page.getByText("Choose whom it strikes").waitFor();
    await page.getByTestId("fault-device-tracker-001").check();
    await page.getByTestId("fault-seconds").fill("");
    await page.getByTestId("fault-start").click();
    await page.getByTestId("faults").getByText("until it is stopped").waitFor();
    const backlog = () => page.getByTestId("trouble-backlog-tracker-001").textContent();
    await page.waitForFunction(() => Number(document.querySelector('[data-testid="trouble-backlog-tracker-001"]')?.textContent) >= 9);
    await page.getByTestId("fault-stop").click();
    await page.getByText("Nothing is wrong on purpose.").waitFor();
    await page.waitForFunction(() => document.querySelector('[data-testid="trouble-backlog-tracker-001"]')?.textContent === "0");
    assert.equal(await backlog(), "0");
    assert.equal(await page.locator("tr", { hasText: "tracker-001" }).locator("td.number").nth(1).textContent(), "1");
  }));

test("a fault that was given a time ends by itself", () =>
  withPage(browser, "#/trouble", {}, async (page) => {
    await page.getByTestId("fault-kind").selectOption("latency");
    await page.getByTestId("fault-all").check();
    await page.getByTestId("fault-seconds").fill("1");
    await page.getByTestId("fault-start").click();
    await page.getByTestId("faults").getByText("Latency").waitFor();
    await page.getByText("Nothing is wrong on purpose.").waitFor();
  }));

test("where nothing can be broken the page says why", () =>
  withPage(browser, "#/trouble", { session: { can: { twin: true, methods: true, messages: true, enrollments: false, faults: false, time: false, verify: false, scenario: false } } }, async (page) => {
    await page.getByText("a real hub has no faults on demand").waitFor();
    assert.equal(await page.getByTestId("fault-start").count(), 0);
    await page.evaluate(() => (location.hash = "#/enrollment"));
    await page.getByText("There is no provisioning service behind this console").waitFor();
  }));

test("the report is two pages of A4, without the console around it, in a dark browser too", () =>
  withPage(browser, "#/device/tracker-002/report", {}, async (page) => {
    await page.getByTestId("chart-temperature").waitFor();
    await page.locator(".track-land[d]").waitFor();
    const text = await page.getByTestId("report").textContent();
    for (const part of ["mean kinetic temperature", "UTC", "Signature", "Untouched", "Rotterdam – Singapore 47", "Beyond, in all"]) assert.ok(text.includes(part), part);
    await page.emulateMedia({ media: "print" });
    for (const hidden of [".header", ".report-bar"]) assert.equal(await page.locator(hidden).isVisible(), false, hidden);
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), "rgb(255, 255, 255)");
    const pdf = (await page.pdf({ preferCSSPageSize: true, printBackground: true })).toString("latin1");
    assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 2);
    assert.match(pdf, /\/MediaBox\s*\[0 0 59[45][.\d]* 84[12][.\d]*\]/);
    // Nothing lies beyond the paper.
    const beyond = await page.evaluate(() => {
      const paper = document.querySelector(".paper").getBoundingClientRect();
      return [...document.querySelectorAll(".paper *")].filter((element) => !element.closest("svg") && !element.classList.contains("visually-hidden") && element.getBoundingClientRect().right > paper.right + 1).map((element) => element.outerHTML.slice(0, 80));
    });
    assert.deepEqual(beyond, []);
  }, { colorScheme: "dark" }));

test("of each trip there is a report, and of the whole voyage", () =>
  withPage(browser, "#/device/tracker-002/report", {}, async (page) => {
    await page.getByLabel("Trip", { exact: true }).selectOption("whole");
    await page.getByText("made here, of what was received").waitFor();
    await page.getByLabel("Trip", { exact: true }).selectOption({ index: 1 });
    await page.getByText("These figures are the device's own").waitFor();
    assert.match(page.url(), /report\/2026-09-13T/);
  }));
