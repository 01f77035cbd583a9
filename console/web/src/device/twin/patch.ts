// What changes one JSON object into another, as a twin takes it: a merge patch (RFC 7396).

import type { Json, JsonObject } from "../../api-types.js";
import { isObject } from "../../voyage/limits.js";

/** What has to be sent so that `before` becomes `after`: members that are gone are null. */
export function diff(before: JsonObject, after: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const name of Object.keys(before)) {
    if (!Object.hasOwn(after, name)) set(patch, name, null);
  }
  for (const [name, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    if (isObject(old) && isObject(value)) {
      const inner = diff(old, value);
      if (Object.keys(inner).length > 0) set(patch, name, inner);
    } else if (old === undefined || !equal(old, value)) {
      set(patch, name, value);
    }
  }
  return patch;
}

/** The object after the patch; neither argument is changed. */
export function merged(target: JsonObject, patch: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const [name, value] of Object.entries(target)) set(result, name, value);
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (isObject(value)) {
      const old = result[name];
      set(result, name, merged(Object.hasOwn(result, name) && isObject(old) ? old : {}, value));
    } else set(result, name, value);
  }
  return result;
}

/** Whether two values are the same JSON, whatever the order of members. */
export function equal(a: Json, b: Json): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, index) => equal(value, b[index] ?? null));
  }
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return (
      names.length === Object.keys(b).length &&
      names.every((name) => Object.hasOwn(b, name) && equal(a[name] ?? null, b[name] ?? null))
    );
  }
  return a === b;
}

/** A patch in words, a line for each value that changes. */
export function described(before: JsonObject, patch: JsonObject, path = ""): string[] {
  return Object.entries(patch).flatMap(([name, value]) => {
    const full = path === "" ? name : `${path}.${name}`;
    const old = Object.hasOwn(before, name) ? before[name] : undefined;
    if (value === null) return [`${full} is taken away`];
    if (isObject(value) && isObject(old)) return described(old, value, full);
    if (old === undefined) return [`${full} becomes ${shown(value)}`];
    return [`${full} changes from ${shown(old)} to ${shown(value)}`];
  });
}

function shown(value: Json): string {
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Sets a member of its own even where it is called `__proto__`. */
function set(object: JsonObject, name: string, value: Json): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
