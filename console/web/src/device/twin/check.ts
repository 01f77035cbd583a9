// Whether a text is what a twin takes as desired properties: JSON, an object, and within the hub's rules.

import type { Json, JsonObject } from "../../api-types.js";
import { isObject } from "../../voyage/limits.js";
import { faultAt } from "./scan.js";

export type Checked = { value: JsonObject } | { error: string; at: number | null };

const DEEPEST = 10;
const LONGEST_TEXT = 4096;
const LARGEST = 32 * 1024;
const INTEGERS = 2 ** 52;

/** The object that the text is; else a sentence that says what is wrong, and where as an index into the text. */
export function checked(text: string): Checked {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return unreadable(text);
  }
  if (!isObject(value)) return { error: "Desired properties are an object: { … }.", at: null };
  const fault = objectFault(value, "", 0) ?? sizeFault(value);
  return fault === null ? { value } : { error: fault, at: null };
}

/** Line and column of an index, counted from 1. */
export function place(text: string, index: number): { line: number; column: number } {
  const before = text.slice(0, index).split("\n");
  return { line: before.length, column: (before.at(-1) ?? "").length + 1 };
}

function unreadable(text: string): Checked {
  if (text.trim() === "") return { error: "It is empty; no properties at all are {}.", at: null };
  const index = faultAt(text) ?? text.length;
  const { line, column } = place(text, index);
  const found = index >= text.length ? "its end" : `“${text.slice(index, index + 1)}”`;
  return { error: `It is no JSON: line ${line}, column ${column} does not fit, at ${found}.`, at: index };
}

function objectFault(object: JsonObject, path: string, depth: number): string | null {
  if (depth > DEEPEST) return `${path} is nested deeper than ${DEEPEST} levels.`;
  for (const [name, value] of Object.entries(object)) {
    const full = path === "" ? name : `${path}.${name}`;
    const fault = nameFault(name, full) ?? valueFault(value, full, depth);
    if (fault !== null) return fault;
  }
  return null;
}

function nameFault(name: string, full: string): string | null {
  if (name === "") return "A property has no name.";
  const bad = /[\u0000-\u001f\u007f-\u009f.$# ]/.exec(name)?.[0];
  if (bad === undefined) return null;
  const which = bad === " " ? "a space" : bad < " " || bad >= "\u007f" ? "a control character" : `“${bad}”`;
  return `${full}: a name has no ${which.replace(/^a /, "")}.`;
}

function valueFault(value: Json, full: string, depth: number): string | null {
  if (value === null) return `${full} is null; to take a property away, delete its line.`;
  if (typeof value === "string" && bytes(value) > LONGEST_TEXT) return `${full} is longer than 4 KB.`;
  if (typeof value === "number" && Number.isInteger(value) && (value < -INTEGERS || value >= INTEGERS)) {
    return `${full} is an integer that the hub does not take: −2⁵² to 2⁵²−1.`;
  }
  if (Array.isArray(value)) return listFault(value, full, depth);
  return isObject(value) ? objectFault(value, full, depth + 1) : null;
}

function listFault(values: Json[], full: string, depth: number): string | null {
  if (depth > DEEPEST) return `${full} is nested deeper than ${DEEPEST} levels.`;
  for (const [index, value] of values.entries()) {
    const path = `${full}[${index}]`;
    if (value === null) return `${path} is null; a list holds none.`;
    const fault = valueFault(value, path, Array.isArray(value) ? depth + 1 : depth);
    if (fault !== null) return fault;
  }
  return null;
}

function sizeFault(value: JsonObject): string | null {
  const size = bytes(JSON.stringify(value));
  return size <= LARGEST ? null : `All of it has ${size} bytes; a hub takes ${LARGEST}.`;
}

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}
