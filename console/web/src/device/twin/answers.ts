// What the device has answered to a desired property: {value, ac, av, ad} under its name in the reported ones.

import type { Json, JsonObject, Twin } from "../../api-types.js";
import { isObject, member } from "../../voyage/limits.js";
import { equal } from "./patch.js";

export type AnswerState = "pending" | "accepted" | "later" | "refused" | "default" | "none";

export interface Answer {
  state: AnswerState;
  /** As in HTTP; null without an answer. */
  code: number | null;
  /** The `$version` that is answered. */
  version: number | null;
  /** The device's own sentence. */
  text: string;
  /** The value in force, where it is not the desired one. */
  inForce?: Json;
}

/** Desired properties without what the hub adds. */
export function desired(twin: Twin): JsonObject {
  return own(twin.properties.desired);
}

/** The names that are desired or answered: the desired ones first, each in the order of the twin. */
export function names(twin: Twin): string[] {
  const wanted = Object.keys(desired(twin));
  const answered = Object.entries(own(twin.properties.reported)).filter(([, value]) => isAnswer(value));
  return [...new Set([...wanted, ...answered.map(([name]) => name)])];
}

/** The answer to one. It is pending until the device answers the version by which it was set last. */
export function answer(twin: Twin, name: string): Answer {
  const wish = member(desired(twin), name);
  const told = member(twin.properties.reported, name);
  const nothing = { code: null, version: null, text: "" };
  if (!isObject(told) || !isAnswer(told)) return { state: wish === undefined ? "none" : "pending", ...nothing };
  const code = told["ac"] as number;
  const version = typeof told["av"] === "number" ? told["av"] : null;
  const text = typeof told["ad"] === "string" ? told["ad"] : "";
  const isPending = wish !== undefined && (version ?? 0) < setBy(twin, name);
  const state = isPending ? "pending" : stateOf(code);
  const value = told["value"];
  const differs = value !== undefined && !isShortened(value) && (wish === undefined || !equal(value, wish));
  return { state, code, version, text, ...(differs ? { inForce: value } : {}) };
}

/** Whether any desired property still waits for an answer. */
export function isPending(twin: Twin): boolean {
  return Object.keys(desired(twin)).some((name) => answer(twin, name).state === "pending");
}

function stateOf(code: number): AnswerState {
  if (code === 202) return "later";
  if (code === 203) return "default";
  return code >= 200 && code < 300 ? "accepted" : "refused";
}

/** The `$version` of the twin in which the property was set last; 0 where the hub does not say. */
function setBy(twin: Twin, name: string): number {
  const metadata = member(member(twin.properties.desired, "$metadata"), name);
  const version = member(metadata, "$lastUpdatedVersion");
  return typeof version === "number" ? version : 0;
}

function isAnswer(value: Json | undefined): boolean {
  return isObject(value) && typeof value["ac"] === "number";
}

/** A large value is answered by its hash and its number of members. */
function isShortened(value: Json): boolean {
  return isObject(value) && typeof value["sha256"] === "string" && typeof value["members"] === "number";
}

function own(section: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(section).filter(([name]) => !name.startsWith("$")));
}
