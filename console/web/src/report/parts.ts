// The parts of a voyage's report: what stands in its tables.

import type { StoryEntry } from "../api-types.js";
import { h, type Child } from "../dom.js";
import type { Format } from "../format.js";
import { tr, table } from "../parts/card.js";
import { together, type Excursion } from "../voyage/excursions.js";
import type { BoundReport, FieldReport, Trip } from "../voyage/trip.js";
import { alarmName, words } from "../voyage/words.js";

const number = (text: string): { text: string; isNumber: boolean } => ({ text, isNumber: true });

/** Names and values, two columns. */
export function facts(all: [string, Child][]): HTMLElement {
  return h("dl", { class: "paper-facts" }, ...all.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

/** A moment on paper: UTC first, as whoever reads it may be anywhere. */
export function moment(format: Format, time: string | number | null): string {
  return format.utc(time);
}

export function fieldTable(format: Format, fields: FieldReport[]): HTMLElement {
  const heads = ["Field", number("Lowest"), number("Mean"), number("Highest"), number("MKT"), number("Worst 24 h"), number("Worst 30 d"), number("Known for")];
  const rows = fields.map((field) => {
    const { name, unit, digits } = words(field.name);
    const value = (of: number | null | undefined): string => format.quantity(of, unit, Math.max(digits, 1));
    const kinetic = (of: number | null | undefined): string => (field.name === "temperature" ? format.quantity(of, unit, 2) : "");
    return tr(name, { number: value(field.min?.value) }, { number: value(field.mean) }, { number: value(field.max?.value) }, { number: kinetic(field.mkt) }, { number: kinetic(field.mkt24h?.value) }, { number: kinetic(field.mkt30d?.value) }, { number: format.duration(field.seconds) });
  });
  return table("Values of the trip", heads, rows);
}

const BOUND_NAMES: Record<BoundReport["name"], string> = { low: "below", high: "above", criticalLow: "critically below", criticalHigh: "critically above" };

/** How long each limit was passed, as the device has counted. */
export function boundTable(format: Format, fields: FieldReport[]): HTMLElement | null {
  const rows = fields.flatMap((field) =>
    field.bounds.map((bound) => {
      const { name, unit, digits } = words(field.name);
      const partly = bound.partlyBeyondSeconds === null ? "" : format.duration(bound.partlyBeyondSeconds);
      return tr(
        `${name} ${BOUND_NAMES[bound.name]} ${format.quantity(bound.limit, unit, digits)}`,
        { number: bound.beyondSeconds === 0 ? "never" : format.duration(bound.beyondSeconds) },
        { number: bound.beyondSeconds === 0 ? "" : format.duration(bound.longestBeyondSeconds) },
        { number: bound.beyondSeconds === 0 ? "" : moment(format, bound.longestBeyondFrom) },
        { number: partly },
      );
    }),
  );
  if (rows.length === 0) return null;
  return table("Time beyond limits", ["Limit", number("Beyond, in all"), number("Longest"), number("From"), number("Partly beyond")], rows);
}

/** Alarms, numbered as in the chart where they are drawn there. */
export function excursionTable(format: Format, all: Excursion[], drawn: Excursion[]): HTMLElement {
  if (all.length === 0) return h("p", {}, "No alarm was raised.");
  const rows = all.map((excursion) => {
    const { unit, digits } = words(excursion.field ?? "");
    const at = drawn.indexOf(excursion);
    const value = (of: number | null): string => (of === null ? "" : format.quantity(of, unit, Math.max(digits, 1)));
    return tr(
      `${at >= 0 ? `${at + 1}. ` : ""}${alarmName(excursion.name)}`,
      excursion.severity,
      { number: `${excursion.isCutBefore ? "before " : ""}${moment(format, excursion.from * 1000)}` },
      { number: excursion.isOpen ? "lasts" : moment(format, excursion.to * 1000) },
      { number: format.duration(excursion.to - excursion.from) },
      { number: value(excursion.extreme) },
      { number: value(excursion.limit) },
    );
  });
  const heads = ["Alarm", "Severity", number("From"), number("To"), number("Lasted"), number("Farthest"), number("Limit")];
  return h("div", {}, table("Alarms", heads, rows), h("p", { class: "paper-note" }, `An alarm stood for ${format.duration(together(all))} in all.`));
}

/** What the device says of times without readings; else what was found in what was received. */
export function gapText(format: Format, trip: Trip | null, found: [number, number][]): string {
  if (trip !== null && trip.gaps.count !== null) {
    const { count, longestSeconds, totalSeconds, ofUnknownLength } = trip.gaps;
    if (count === 0) return `None longer than ${format.duration(trip.gapAfter)}.`;
    const unknown = ofUnknownLength !== null && ofUnknownLength > 0 ? `, ${format.number(ofUnknownLength)} of unknown length` : "";
    return `${format.number(count)} longer than ${format.duration(trip.gapAfter)}: ${format.duration(totalSeconds)} in all, the longest ${format.duration(longestSeconds)}${unknown}. Nothing is said of the time within them.`;
  }
  if (found.length === 0) return "None was seen in what was received.";
  const total = found.reduce((sum, [from, to]) => sum + to - from, 0);
  return `${format.number(found.length)} in what was received, ${format.duration(total)} in all.`;
}

export function doorText(format: Format, trip: Trip | null, entries: StoryEntry[]): Child {
  const opened = entries.filter((entry) => entry.kind === "door");
  const count = trip?.doorOpenings ?? null;
  if (count === null && opened.length === 0) return "No door contact has said anything.";
  const head = count === null ? "" : count === 0 ? "Never opened." : `Opened ${format.number(count)} ${count === 1 ? "time" : "times"}.`;
  if (opened.length === 0) return head;
  const items = opened.slice(0, 12).map((entry) => h("li", {}, `${moment(format, entry.time)}: ${entry.text}`));
  return h("div", {}, head, h("ul", { class: "paper-list" }, ...items, opened.length > 12 && h("li", {}, `and ${format.number(opened.length - 12)} more.`)));
}

/** Lines to sign. */
export function signatures(): HTMLElement {
  const lineOf = (name: string): HTMLElement => h("div", { class: "paper-sign" }, h("span", {}), h("small", {}, name));
  return h("div", { class: "paper-signs" }, lineOf("Name"), lineOf("Company"), lineOf("Place, date"), lineOf("Signature"));
}
