// The life cycle of a fleet is watched and stepped through.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Program } from "./laboratory.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const step = story();
let laboratory, browser, visitor;

before(async () => {
  laboratory = new Program(["simulate", "--scenario", "lifecycle", "--step", "--json"]);
  browser = await launch();
  visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
});

after(async () => {
  await browser?.close();
  await laboratory?.stop("SIGKILL");
});

step("nothing is done before somebody goes on", async () => {
  await visitor.go("#/enrollment");
  await visitor.get("scenario").waitFor();
  await until("the first step waits", async () => /Step 1 waits for you/.test(await visitor.get("scenario-state").textContent()));
  const { scenario } = await visitor.api("scenario");
  assert.deepEqual([scenario.steps.length, scenario.isWaiting, scenario.steps[0].seen], [1, true, null]);
  assert.equal((await visitor.api("certificates")).certificates.length, 0, "no CA is uploaded yet");
});

step("each step is done when it is asked for, and what came of it stands there", async () => {
  for (const number of [2, 3]) {
    await visitor.get("scenario-next").click();
    await until(`step ${number} waits`, async () => new RegExp(`Step ${number} waits for you`).test(await visitor.get("scenario-state").textContent()));
  }
  const { scenario } = await visitor.api("scenario");
  assert.deepEqual(scenario.steps.map(({ isAsExpected }) => isAsExpected), [true, true, null]);
  assert.equal((await visitor.api("certificates")).certificates[0].isVerified, true);
  assert.match(await visitor.get("scenario-steps").textContent(), /verified before: false, after: true/);
  await visitor.get("groups").getByText("container-trackers").first().waitFor();
});

step("it runs on to its end, and what was seen stays to be looked at", async () => {
  await visitor.get("scenario-mode").click();
  await until("the verdict", async () => /Verdict: all \d+ steps went as expected/.test(await visitor.get("scenario-state").textContent()), { patience: 150_000 });
  await laboratory.line("that the page stays", ({ event }) => event === "waiting");
  await visitor.picture("lifecycle", { isWhole: true });
  const { scenario } = await visitor.api("scenario");
  assert.ok(scenario.steps.length > 10 && scenario.steps.every(({ isAsExpected }) => isAsExpected));
});

step("Ctrl-C ends it, with the verdict as the exit code", async () => {
  assert.equal(await laboratory.stop(), 0);
});
