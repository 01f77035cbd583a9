// The states a device can be in, gravest first: how each is called, and the shape that tells it apart without colour.

import type { Row, State } from "./api-types.js";
import { svg } from "./dom.js";

/** What is drawn for a device: its state, with alarms told apart by severity. */
export type Look = "alarm-critical" | "alarm-warning" | "refused" | "outage" | "silent" | "disabled" | "new" | "ok";

export const LOOKS: readonly Look[] = [
  "alarm-critical", "alarm-warning", "refused", "outage", "silent", "disabled", "new", "ok",
];

export const LOOK_NAMES: Record<Look, string> = {
  "alarm-critical": "Critical alarm",
  "alarm-warning": "Warning",
  refused: "Refused",
  outage: "Fault injected",
  silent: "Silent",
  disabled: "Disabled",
  new: "No reading yet",
  ok: "All well",
};

/** Outlines in a square from −8 to 8. */
export const SHAPES: Record<Look, string> = {
  "alarm-critical": "M0-8 8 0 0 8-8 0Z",
  "alarm-warning": "M0-7.5 8 6.5H-8Z",
  refused: "M-4.2-7 0-2.8 4.2-7 7-4.2 2.8 0 7 4.2 4.2 7 0 2.8-4.2 7-7 4.2-2.8 0-7-4.2Z",
  outage: "M-3.5-7H3.5L7-3.5V3.5L3.5 7H-3.5L-7 3.5V-3.5Z",
  silent: "M-6-6H6V6H-6Z",
  disabled: "M-7-2.5H7V2.5H-7Z",
  new: "M-6 0a6 6 0 1 1 12 0a6 6 0 1 1-12 0ZM-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0Z",
  ok: "M-6 0a6 6 0 1 1 12 0a6 6 0 1 1-12 0Z",
};

export function look(row: Row): Look {
  return lookOf(row.state, row.alarms.some((alarm) => alarm.severity === "critical"));
}

export function lookOf(state: State, isCritical: boolean): Look {
  if (state !== "alarm") return state;
  return isCritical ? "alarm-critical" : "alarm-warning";
}

/** The state's mark, for text that says the same beside it. */
export function mark(look: Look): SVGSVGElement {
  return svg(
    "svg",
    { class: `mark mark-${look}`, viewBox: "-9 -9 18 18", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: SHAPES[look] }),
  );
}
