// The page's types have the members that the server's own description has. What is read by name only is left out.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const DESCRIPTION = "../openapi.json";

/** Types here, and what the server calls them. */
const PAIRS = {
  Row: "Row", Alarm: "RowAlarm", Profile: "ProfileBand", Fleet: "Fleet", Session: "Session", Delta: "Delta", StoryEntry: "StoryEntry",
  Story: "StoryPage", Tails: "Tails", Fence: "Fence", Device: "DeviceDetail", Series: "Series", SeriesField: "FieldSeries",
  AlarmSpan: "AlarmSpan", MethodAnswer: "MethodAnswer", Identity: "Identity", Fault: "Fault", Verdict: "Verification",
  Scenario: "Scenario", ScenarioStep: "ScenarioStep",
};

/** The members of an interface, as its source says. */
function members(source: string, name: string): string[] {
  const begin = source.indexOf(`export interface ${name} {`);
  assert.ok(begin >= 0, `there is no interface ${name}`);
  const body = source.slice(begin, source.indexOf("\n}", begin));
  return [...body.matchAll(/^ {2}(\w+)\??:/gm)].map((match) => match[1] ?? "").sort();
}

test("the page's types are those of the server's description", { skip: !existsSync(DESCRIPTION) }, () => {
  const source = readFileSync("src/api-types.ts", "utf8");
  const { components } = JSON.parse(readFileSync(DESCRIPTION, "utf8"));
  for (const [here, there] of Object.entries(PAIRS)) {
    const properties = components.schemas[there]?.properties;
    assert.ok(properties, `the server describes no ${there}`);
    assert.deepEqual(members(source, here), Object.keys(properties).sort(), here);
  }
});
