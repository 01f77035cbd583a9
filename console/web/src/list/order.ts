// Which rows the list shows, in which order.

import type { Row } from "../api-types.js";
import { alarmText, stateText } from "../names.js";
import type { Look } from "../states.js";
import { look } from "../states.js";
import type { Column, Key } from "./columns.js";

export interface Wish {
  search: string;
  looks: ReadonlySet<Look>;
  /** Only these devices, where a cluster was opened. */
  ids: ReadonlySet<string> | null;
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const texts = new WeakMap<Row, string>();

/** Whether all words of a search are somewhere in what the list tells of a row. */
export function matches(row: Row, wish: Wish, words: readonly string[]): boolean {
  if (wish.ids !== null && !wish.ids.has(row.id)) return false;
  if (wish.looks.size > 0 && !wish.looks.has(look(row))) return false;
  if (words.length === 0) return true;
  let text = texts.get(row);
  if (text === undefined) {
    const alarms = row.alarms.map((alarm) => `${alarm.name} ${alarmText(alarm.name)}`);
    text = [row.id, row.container, row.cargo, row.place, row.hub, row.firmware, row.enrollment, stateText(row), ...alarms].join("\n").toLowerCase();
    texts.set(row, text);
  }
  return words.every((word) => text.includes(word));
}

export function wordsOf(search: string): string[] {
  return search.toLowerCase().split(/\s+/).filter((word) => word !== "");
}

/** Sorts rows by a column; those alike stay in the order of their IDs. */
export function sorted(rows: readonly Row[], column: Column, direction: 1 | -1): Row[] {
  const keyed = rows.map((row) => ({ row, key: column.key(row) }));
  keyed.sort((a, b) => compare(a.key, b.key, direction) || (a.row.id < b.row.id ? -1 : a.row.id > b.row.id ? 1 : 0));
  return keyed.map(({ row }) => row);
}

function compare(a: Key, b: Key, direction: 1 | -1): number {
  if (a === b) return 0;
  if (a === null) return 1;
  if (b === null) return -1;
  if (typeof a === "number" && typeof b === "number") return (a - b) * direction;
  return collator.compare(String(a), String(b)) * direction;
}
