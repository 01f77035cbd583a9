// The kinds of happenings, as few groups as a person thinks in, each with a mark of its own.

import type { StoryEntry, StoryKind } from "../api-types.js";
import { svg } from "../dom.js";

export interface Group {
  name: string;
  kinds: readonly StoryKind[];
}

export const GROUPS: readonly Group[] = [
  { name: "Alarms", kinds: ["alarm", "silence"] },
  { name: "Places and door", kinds: ["place", "door"] },
  { name: "Trips", kinds: ["trip"] },
  { name: "Connection", kinds: ["connection", "takeover"] },
  { name: "Provisioning", kinds: ["provisioning", "refusal"] },
  { name: "Settings", kinds: ["twin"] },
  { name: "People and faults", kinds: ["operator", "fault"] },
];

/** The group of an entry; a kind that is not known yet belongs to all. */
export function groupOf(entry: Pick<StoryEntry, "kind">): Group | null {
  return GROUPS.find((group) => group.kinds.includes(entry.kind)) ?? null;
}

const LINES: Record<StoryKind, string> = {
  alarm: "M8 2 15 14H1ZM8 6.5V10M8 12v.6",
  silence: "M2 6v4h3l4 3.5v-11L5 6ZM11.5 6l3 4m0-4-3 4",
  place: "M8 14.5C5 11 3.5 8.8 3.5 6.5a4.5 4.5 0 0 1 9 0C12.5 8.8 11 11 8 14.5ZM8 5v3",
  door: "M3.5 14.5v-13h9v13M1.5 14.5h13M10 8v1",
  trip: "M2 13h12M3 10l1-3h8l1 3-1.5 3h-7ZM8 7V2l3 2.5",
  connection: "M2 9a8.5 8.5 0 0 1 12 0M4.5 11.5a5 5 0 0 1 7 0M8 13.5v.5",
  takeover: "M2 5h10L9 2M14 11H4l3 3",
  provisioning: "M8 1.5 14 4v4c0 3.5-3 5.5-6 6.5C5 13.5 2 11.5 2 8V4ZM5.5 8l2 2 3.5-4",
  refusal: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13ZM3.5 3.5l9 9",
  twin: "M2 4h7m4 0h1M11 2.5v3M2 8h2m4 0h6M6 6.5v3M2 12h6m4 0h2M10 10.5v3",
  operator: "M8 2a2.8 2.8 0 1 0 0 5.6A2.8 2.8 0 0 0 8 2ZM2.5 14.5c0-3 2.5-4.7 5.5-4.7s5.5 1.7 5.5 4.7",
  fault: "M9 1.5 3 9h4l-1 5.5L13 7H8.5Z",
};

const NAMES: Record<StoryKind, string> = {
  alarm: "Alarm", silence: "Silence", place: "Place", door: "Door", trip: "Trip", connection: "Connection", takeover: "Takeover",
  provisioning: "Provisioning", refusal: "Refusal", twin: "Settings", operator: "Person", fault: "Fault",
};

/** The kind's name; of a kind that is not known yet itself. */
export function kindName(kind: StoryKind): string {
  return Object.hasOwn(NAMES, kind) ? NAMES[kind] : kind;
}

export function kindMark(entry: Pick<StoryEntry, "kind" | "severity">): SVGSVGElement {
  const tone = entry.severity ?? (entry.kind === "refusal" ? "refused" : entry.kind === "fault" ? "outage" : "plain");
  const d = Object.hasOwn(LINES, entry.kind) ? LINES[entry.kind] : "M8 5v6M5 8h6";
  return svg("svg", { class: `kind kind-${tone}`, viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" }, svg("path", { d }));
}
