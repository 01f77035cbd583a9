// Enrollment: a device is taken out of service, and may come back, from the page alone.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { simulation } from "./laboratory.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const [ONE, OTHER] = ["sensor-thl-001", "sensor-thl-002"];

const step = story();
let laboratory, browser, visitor;

before(async () => {
  laboratory = simulation();
  browser = await launch();
  visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
  for (const id of [ONE, OTHER]) await visitor.rowIs(id, "is well", (row) => row.state === "ok");
});

after(async () => {
  await browser?.close();
  await laboratory?.stop();
});

step("group, CA certificate and registration records are shown", async () => {
  await visitor.go("#/enrollment");
  const page = visitor.get("enrollment");
  for (const text of ["container-trackers", ONE, OTHER]) await page.getByText(text).first().waitFor();
  assert.deepEqual((await records()).sort(), [ONE, OTHER]);
});

step("a device is deprovisioned: its record goes, and it is refused when it asks again", async () => {
  await visitor.go(`#/device/${ONE}`);
  await visitor.get("device-deprovision").click();
  await visitor.get("dialog-yes").click();
  await until("its record is gone", async () => !(await records()).includes(ONE));
  await laboratory.line("that it is refused", ({ device, text }) => device === ONE && /refus|disabled|not enrolled|unauthorized/i.test(text ?? ""));
  assert.ok((await records()).includes(OTHER));
});

step("its enrollment is enabled, and the page shows it", async () => {
  await visitor.go("#/enrollment");
  await visitor.get(`enrollment-toggle-${ONE}`).click();
  await visitor.get("dialog-yes").click();
  await until("it is enabled", async () => (await enrollment())?.provisioningStatus === "enabled");
  // The tracker itself asks again minutes later, as one at sea does.
  await until("the page offers to disable it", async () => /Disable/.test(await visitor.get(`enrollment-toggle-${ONE}`).textContent()));
});

step("nothing was complained of, and nobody else was asked", () => visitor.leave());

async function records() {
  return (await visitor.api("registrations")).registrations.map(({ registrationId }) => registrationId);
}

async function enrollment() {
  return (await visitor.api("enrollments")).enrollments.find(({ registrationId }) => registrationId === ONE);
}
