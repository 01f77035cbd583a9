// What is shown when what is behind it goes away: the page says that it is not live, and is live again by itself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Program, workplace } from "./laboratory.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

test("the emulator ends and starts again: the page says so, and is live again", async (context) => {
  const directory = workplace(context);
  let emulator = await startEmulator(directory);
  const console = new Program(["console", "--json", "--port", "0"], { cwd: directory });
  context.after(() => Promise.all([console.stop("SIGKILL"), emulator.stop("SIGKILL")]));
  const visitor = await Visitor.arrive(browser);
  await visitor.open(await console.link());
  await visitor.get("empty").getByText("No devices yet").waitFor();

  await emulator.stop("SIGKILL");
  await visitor.page.locator('[data-testid="live-state"][data-live="lost"]').waitFor();
  assert.match(await visitor.get("live-state").textContent(), /Not live/);
  await visitor.picture("not-live");

  emulator = await startEmulator(directory);
  await visitor.live();
  await visitor.leave({ provoked: [/status of 503/] });
});

test("the console ends: the page says that it is not live, and keeps what it knows in sight", async (context) => {
  const directory = workplace(context);
  const emulator = await startEmulator(directory);
  let console = new Program(["console", "--json", "--port", "0"], { cwd: directory });
  context.after(() => Promise.all([console.stop("SIGKILL"), emulator.stop("SIGKILL")]));
  const visitor = await Visitor.arrive(browser);
  const link = await console.link();
  await visitor.open(link);

  await console.stop("SIGKILL");
  await visitor.page.locator('[data-testid="live-state"][data-live="lost"]').waitFor();
  assert.equal(await visitor.page.locator("main").isVisible(), true);

  // On the same port, but with another token: only the new link opens it.
  console = new Program(["console", "--json", "--port", new URL(link).port], { cwd: directory });
  const renewed = await console.link();
  await until("the page says that its link has ended", async () => /link has ended/.test(await visitor.get("live-state").textContent()));
  await visitor.open(renewed);
  assert.notEqual(renewed, link);
  await visitor.leave({ provoked: [/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET/, /status of 401/] });
});

async function startEmulator(directory) {
  const emulator = new Program(["emulator", "--json", "--port", "0", "--retry-after", "0", "--directory", directory, "--state-directory", `${directory}/state`], { cwd: directory });
  await emulator.line("that it listens", ({ event }) => event === "emulator");
  return emulator;
}
