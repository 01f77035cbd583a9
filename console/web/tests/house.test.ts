// What every source keeps to.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";

const SOURCES = readdirSync("src", { recursive: true }).map(String).filter((name) => name.endsWith(".ts"));
/** What makes markup or script of text, or styles that the content security policy forbids. */
const FORBIDDEN = /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|eval|new Function)\b|setAttribute\("style"/;

test("no source makes markup or script of text", () => {
  assert.ok(SOURCES.length > 30);
  for (const name of SOURCES) {
    const code = readFileSync(`src/${name}`, "utf8").replace(/^\s*\/\/.*$/gm, "");
    assert.doesNotMatch(code, FORBIDDEN, name);
  }
});

test("every source says what it is, and none is too long to read", () => {
  for (const name of SOURCES) {
    const text = readFileSync(`src/${name}`, "utf8");
    assert.match(text, /^(\/\/ |\/\*)/, `${name} has no head`);
    assert.ok(text.split("\n").length <= 600, `${name} is too long`);
  }
});

test("no file needs a file that needs it", () => {
  const needs = new Map(SOURCES.map((name) => [name, imports(name)]));
  const seen = new Map<string, "open" | "done">();
  const visit = (name: string, way: string[]): void => {
    if (seen.get(name) === "done") return;
    assert.notEqual(seen.get(name), "open", `a circle: ${[...way, name].join(" > ")}`);
    seen.set(name, "open");
    for (const next of needs.get(name) ?? []) visit(next, [...way, name]);
    seen.set(name, "done");
  };
  for (const name of SOURCES) visit(name, []);
});

/** The sources a source needs when it runs; types alone are no need. */
function imports(name: string): string[] {
  const text = readFileSync(`src/${name}`, "utf8");
  const found = [...text.matchAll(/^import (?!type )[^;]*?from "(\.[^"]+)\.js";/gms)].map((match) => match[1] ?? "");
  const folder = name.includes("/") ? name.slice(0, name.lastIndexOf("/") + 1) : "";
  return found.map((path) => new URL(path, `file:///${folder}`).pathname.slice(1) + ".ts");
}
