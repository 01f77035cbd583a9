// The list's columns: what each sorts by and what its cells show.

import type { Row } from "../api-types.js";
import type { App } from "../app.js";
import { h, setAttribute, setText } from "../dom.js";
import { isNumber } from "../format.js";
import { alarmText, hubLabel, nameOf, stateText } from "../names.js";
import { LOOKS, LOOK_NAMES, look, mark, type Look } from "../states.js";
import { Spark } from "./spark.js";

/** Sorted by; null comes last in either direction. */
export type Key = string | number | null;

export interface Cell {
  element: HTMLElement;
  update(row: Row): void;
}

export interface Column {
  name: string;
  title: string;
  /** CSS pixels. */
  width: number;
  isNumber?: boolean;
  key(row: Row): Key;
  cell(app: App): Cell;
}

export const COLUMNS: readonly Column[] = [
  { name: "container", title: "Container", width: 158, key: (row) => row.container ?? row.id, cell: containerCell },
  { name: "alarm", title: "Alarm", width: 148, key: gravity, cell: alarmCell },
  { name: "temperature", title: "Temperature", width: 164, isNumber: true, key: (row) => number(row.temperature), cell: temperatureCell },
  { name: "place", title: "Place", width: 142, key: (row) => row.place, cell: placeCell },
  { name: "cargo", title: "Cargo", width: 118, key: (row) => row.cargo, cell: () => textCell((row) => row.cargo) },
  { name: "lastSeen", title: "Last seen", width: 104, key: (row) => time(row.lastSeen), cell: seenCell },
  { name: "backlog", title: "Backlog", width: 82, isNumber: true, key: (row) => number(row.backlog), cell: backlogCell },
  { name: "hub", title: "Hub", width: 110, key: (row) => row.hub, cell: () => textCell((row) => row.hub, hubLabel) },
  { name: "firmware", title: "Firmware", width: 90, key: (row) => row.firmware, cell: () => textCell((row) => row.firmware) },
  { name: "certificate", title: "Certificate", width: 98, isNumber: true, key: (row) => number(row.certificateDays), cell: certificateCell },
];

/** A certificate with fewer days left than this is worth a look. */
const FEW_DAYS = 14;

function gravity(row: Row): Key {
  const grave = LOOKS.indexOf(look(row));
  return grave * 2 + (row.alarms.length > 0 && row.alarms.every((alarm) => alarm.isAcknowledged) ? 1 : 0);
}

function number(value: number | null): Key {
  return isNumber(value) ? value : null;
}

function time(value: string | null): Key {
  return value === null ? null : number(Date.parse(value));
}

function textCell(text: (row: Row) => string | null, shorter: (text: string) => string = (whole) => whole): Cell {
  const element = h("span", { class: "list-text" });
  return {
    element,
    update: (row) => {
      const value = text(row) || null;
      setText(element, value === null ? "–" : shorter(value));
      setAttribute(element, "title", value);
      element.classList.toggle("muted", value === null);
    },
  };
}

function containerCell(app: App): Cell {
  let shown: Look | null = null;
  const symbol = h("span", { class: "list-mark" });
  const name = h("a", { class: "list-name", tabindex: -1 });
  const id = h("span", { class: "list-id small muted" });
  const element = h("div", { class: "list-container" }, symbol, h("div", { class: "list-names" }, name, id));
  return {
    element,
    update: (row) => {
      const its = look(row);
      if (its !== shown) {
        shown = its;
        symbol.replaceChildren(mark(its));
        symbol.title = LOOK_NAMES[its];
      }
      setText(name, nameOf(row, app.format));
      setAttribute(name, "title", row.id);
      setAttribute(name, "href", `#/device/${encodeURIComponent(row.id)}`);
      setText(id, row.container === null ? "" : row.id);
      id.hidden = row.container === null;
    },
  };
}

function alarmCell(app: App): Cell {
  const state = h("span", { class: "list-alarm" });
  const more = h("span", { class: "small muted list-text" });
  return {
    element: h("div", { class: "list-lines" }, state, more),
    update: (row) => {
      const its = look(row);
      const [first, ...others] = row.alarms;
      const isAlarm = row.state === "alarm" && first !== undefined;
      setText(state, isAlarm ? alarmText(first.name) : its === "ok" ? "" : LOOK_NAMES[its]);
      state.className = `list-alarm list-text look-${its}`;
      setAttribute(state, "title", its === "ok" ? null : stateText(row));
      setText(more, isAlarm ? alarmDetail(app, row, others.length) : row.state === "refused" ? (row.refusal ?? "") : "");
      setAttribute(more, "title", row.refusal);
    },
  };
}

function alarmDetail(app: App, row: Row, others: number): string {
  const [first] = row.alarms;
  if (first === undefined) return "";
  const since = app.format.ago(first.since, app.store.now());
  const seen = first.isAcknowledged ? `seen${first.by === null ? "" : ` by ${first.by}`}` : since;
  return others > 0 ? `${seen}, ${others} more` : seen;
}

function temperatureCell(app: App): Cell {
  const spark = new Spark();
  const value = h("span", { class: "number list-value" });
  return {
    element: h("div", { class: "list-temperature" }, spark.element, value),
    update: (row) => {
      spark.update(row.spark);
      setText(value, app.format.temperature(row.temperature));
      element(value, "is-outside", isOutside(row));
    },
  };
}

function isOutside({ temperature, profile }: Row): boolean {
  if (!isNumber(temperature) || profile === null) return false;
  return (profile.low !== null && temperature < profile.low) || (profile.high !== null && temperature > profile.high);
}

function placeCell(app: App): Cell {
  return textCell((row) => row.place ?? (row.at === null ? null : app.format.position(row.at, 1)));
}

function seenCell(app: App): Cell {
  const seen = h("span", { class: "list-text" });
  return {
    element: seen,
    update: (row) => {
      setText(seen, app.format.ago(row.lastSeen, app.store.now()));
      setAttribute(seen, "title", row.lastSeen === null ? null : app.format.both(row.lastSeen));
      element(seen, "muted", row.lastSeen === null);
    },
  };
}

function backlogCell(app: App): Cell {
  const value = h("span", { class: "number" });
  return {
    element: value,
    update: (row) => {
      setText(value, app.format.number(row.backlog));
      element(value, "muted", !row.backlog);
    },
  };
}

function certificateCell(app: App): Cell {
  const value = h("span", { class: "number" });
  return {
    element: value,
    update: (row) => {
      setText(value, isNumber(row.certificateDays) ? `${app.format.days(row.certificateDays)} d` : "–");
      element(value, "is-outside", isNumber(row.certificateDays) && row.certificateDays < FEW_DAYS);
    },
  };
}

function element(of: HTMLElement, name: string, isSet: boolean): void {
  if (of.classList.contains(name) !== isSet) of.classList.toggle(name, isSet);
}
