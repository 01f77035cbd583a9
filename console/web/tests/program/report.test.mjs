// The voyage report, printed to PDF as a person would: what is on the paper is read back with poppler's tools.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before } from "node:test";
import { simulation } from "./laboratory.mjs";
import { story } from "./story.mjs";
import { until } from "./until.mjs";
import { launch, Visitor } from "./visitor.mjs";

const ID = "sensor-thl-001";
const FOLDER = process.env.SCREENSHOTS ?? "target/screenshots";

const step = story();
let laboratory, browser, visitor;

before(async () => {
  // With alarms, evidence and a trip under way.
  laboratory = simulation("--story");
  browser = await launch();
  visitor = await Visitor.arrive(browser);
  await visitor.open(await laboratory.link());
  await visitor.rowIs(ID, "has delivered", (row) => row.temperature !== null);
});

after(async () => {
  await browser?.close();
  await laboratory?.stop("SIGKILL");
});

step("the report is printed to PDF: pages with words, a chart and a map, and nothing of the console around it", async () => {
  await until("there are readings enough for a chart", () => laboratory.last(ID, 5000).length >= 20);
  await visitor.go(`#/device/${ID}`);
  await visitor.get("report-link").click();
  await visitor.get("report").getByRole("heading", { level: 1 }).waitFor();
  await visitor.get("chart-temperature").locator("path, polyline").first().waitFor({ state: "attached" });
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, "report.pdf");
  await visitor.page.pdf({ path: file, format: "A4", printBackground: true });

  const facts = Object.fromEntries(tool("pdfinfo", file).split("\n").map((line) => line.split(/:\s+/)));
  const pages = Number(facts.Pages);
  assert.ok(pages >= 1 && pages <= 6, `${pages} pages`);
  assert.match(facts["Page size"], /^595.* x 84[12]/, "A4, upright");
  const text = tool("pdftotext", "-layout", file, "-");
  for (const word of [ID, "°C", /kinetic|MKT/i, /sign/i, /UTC/]) assert.match(text, word instanceof RegExp ? word : new RegExp(word));
  assert.doesNotMatch(text, /Trouble|Skip to the content|Pause/, "navigation is not printed");
  assert.ok(statSync(file).size > 10_000, "the paper has pictures");
  // Every page has something on it.
  for (let page = 1; page <= pages; page += 1) {
    const words = tool("pdftotext", "-f", String(page), "-l", String(page), file, "-").trim();
    assert.notEqual(words, "", `page ${page} is empty`);
  }
  tool("pdftoppm", "-png", "-r", "60", file, join(FOLDER, "report"));
});

step("nothing was complained of, and nobody else was asked", () => visitor.leave());

function tool(name, ...args) {
  return execFileSync(name, args, { encoding: "utf8", cwd: dirname(".") });
}
