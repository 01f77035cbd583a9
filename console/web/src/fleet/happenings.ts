// What happened of late in the whole fleet: alarms, refusals, takeovers, faults. One container's own story is on its page.

import type { StoryEntry } from "../api-types.js";
import type { App } from "../app.js";
import { h, setAttribute, setText } from "../dom.js";
import { nameOf } from "../names.js";
import { mark, type Look } from "../states.js";

const SHOWN = 100;
const KEY = "console.happenings";

export interface Happenings {
  element: HTMLElement;
  destroy(): void;
}

export function happenings(app: App): Happenings {
  const list = h("ol", { class: "happenings-list", tabindex: 0, "aria-label": "Happenings, newest first" });
  const sign = h("span", { "aria-hidden": "true" });
  const head = h("button", { type: "button", class: "happenings-head" }, sign, "Happenings");
  const element = h("section", { class: "happenings", "aria-label": "Happenings", "data-testid": "happenings" }, head, list);
  let isOpen = recall();
  const apply = (): void => {
    element.dataset["open"] = String(isOpen);
    setAttribute(head, "aria-expanded", String(isOpen));
    setText(sign, isOpen ? "▾" : "▸");
  };
  head.addEventListener("click", () => {
    isOpen = !isOpen;
    remember(isOpen);
    apply();
  });
  apply();

  const draw = (): void => {
    element.hidden = app.store.entries.length === 0;
    list.replaceChildren(...lines(app));
  };
  draw();
  let known = app.store.rows().size;
  let { at } = app.store;
  const endings = [
    app.store.onEntries(draw),
    // A container that was not known is called by its number once it is.
    app.store.subscribe(() => {
      if (app.store.rows().size !== known || app.store.at !== at) draw();
      known = app.store.rows().size;
      at = app.store.at;
    }),
  ];
  return { element, destroy: () => endings.forEach((end) => end()) };
}

/** The newest happenings, under the days they happened on. */
function lines(app: App): HTMLElement[] {
  const all: HTMLElement[] = [];
  let shown = "";
  const { at, entries } = app.store;
  // In the past only what had happened by then.
  const told = at === null ? entries : entries.filter((entry) => Date.parse(entry.time) <= Date.parse(at));
  for (const entry of told.slice(0, SHOWN)) {
    const day = app.format.day(entry.time);
    if (day !== shown) all.push(h("li", { class: "happenings-day small muted" }, day));
    shown = day;
    all.push(line(app, entry));
  }
  return all;
}

function line(app: App, entry: StoryEntry): HTMLElement {
  const row = app.store.row(entry.device);
  const name = row === undefined ? entry.device : nameOf(row, app.format);
  const time = h("time", { class: "muted", title: app.format.both(entry.time) }, app.format.clock(entry.time));
  const look = lookOf(entry);
  return h("li", { class: "happening" }, time,
    h("a", { href: `#/device/${encodeURIComponent(entry.device)}`, title: entry.device }, name),
    h("span", { class: "happening-text", title: entry.text }, look !== null && mark(look), h("span", {}, entry.text)));
}

/** The mark of what an entry is about; none for what is usual. */
function lookOf({ kind, severity, state }: StoryEntry): Look | null {
  if (kind === "refusal") return "refused";
  if (kind === "fault") return "outage";
  if (kind === "silence") return "silent";
  if (kind !== "alarm" || state === "ended" || state === "cleared") return null;
  return severity === "critical" ? "alarm-critical" : "alarm-warning";
}

function recall(): boolean {
  try {
    return (localStorage.getItem(KEY) ?? String(window.innerWidth > 640)) === "true";
  } catch {
    return true;
  }
}

function remember(isOpen: boolean): void {
  try {
    localStorage.setItem(KEY, String(isOpen));
  } catch {
    // A browser that keeps nothing shows them again next time.
  }
}
