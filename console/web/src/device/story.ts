// What has happened to one container, the newest first: filtered by kind, older ones on demand, new ones as they come.

import type { App } from "../app.js";
import type { StoryEntry } from "../api-types.js";
import { h, setText } from "../dom.js";
import { card } from "../parts/card.js";
import type { Life } from "../parts/life.js";
import { said } from "../parts/said.js";
import { seconds } from "../voyage/view.js";
import { GROUPS, groupOf, kindMark, kindName, type Group } from "./story-kinds.js";

const PAGE = 60;
const MOST = 1200;

export interface StoryPart {
  element: HTMLElement;
}

/** `point`: shows a time in the charts. */
export function story(app: App, id: string, life: Life, point: (time: number) => void): StoryPart {
  const hidden = new Set<Group>();
  const known = new Set<string>();
  const list = h("ol", { class: "story-list", "data-testid": "story" });
  const state = h("p", { class: "muted small", role: "status" });
  const older = h("button", { type: "button", class: "button", hidden: true, onclick: () => void more() }, "Older");
  const chips = GROUPS.map((group) => h("button", { type: "button", class: "choice", "aria-pressed": "true", onclick: (event: Event) => toggle(group, event.currentTarget as HTMLElement) }, group.name));
  let next: string | number | null = null;
  let hasMore = false;

  function toggle(group: Group, chip: HTMLElement): void {
    if (hidden.has(group)) hidden.delete(group);
    else hidden.add(group);
    chip.setAttribute("aria-pressed", String(!hidden.has(group)));
    for (const item of list.children) if (item instanceof HTMLElement) item.hidden = isHidden(item.dataset["group"]);
    tell();
  }

  const isHidden = (name: string | undefined): boolean => [...hidden].some((group) => group.name === name);

  function item(entry: StoryEntry): HTMLElement {
    const time = seconds(entry.time);
    const when = h("time", { datetime: entry.time, title: app.format.utc(entry.time) }, app.format.time(entry.time));
    const text = h("span", { class: "story-text" }, h("span", { class: "visually-hidden" }, `${kindName(entry.kind)}: `), entry.text);
    const moment = time === null ? when : h("button", { type: "button", class: "story-time", title: `${app.format.both(entry.time)}: show in the charts`, onclick: () => point(time) }, when);
    const group = groupOf(entry)?.name;
    return h("li", { class: "story-item", "data-group": group, "data-kind": entry.kind, hidden: isHidden(group) }, kindMark(entry), text, moment);
  }

  function take(entries: readonly StoryEntry[], where: "before" | "after"): void {
    const fresh = entries.filter((entry) => entry.device === id && !known.has(key(entry)));
    for (const entry of fresh) known.add(key(entry));
    const items = fresh.map(item);
    if (where === "before") list.prepend(...items);
    else list.append(...items);
    while (list.children.length > MOST) list.lastElementChild?.remove();
    tell();
  }

  function tell(): void {
    const shown = [...list.children].filter((child) => !(child as HTMLElement).hidden).length;
    setText(state, list.children.length === 0 ? "Nothing has happened yet." : shown === 0 ? "All kinds that there are are hidden." : "");
    state.hidden = state.textContent === "";
    older.hidden = !hasMore;
  }

  async function more(): Promise<void> {
    older.disabled = true;
    try {
      const page = await app.api.story(id, next === null ? null : String(next), PAGE);
      if (life.isOver) return;
      next = page.next;
      hasMore = page.next !== null;
      take(page.entries, "after");
    } catch (error) {
      if (!life.isOver) setText(state, `The story can't be fetched: ${said(error)}`);
      state.hidden = false;
    }
    older.disabled = false;
  }

  life.add(app.store.onEntries((entries) => take([...entries].sort((a, b) => b.time.localeCompare(a.time)), "before")));
  void more();
  const element = card("Story", { class: "story", testid: "story-card" }, h("div", { class: "choices", role: "group", "aria-label": "Kinds shown" }, ...chips), state, h("div", { class: "story-scroll", tabindex: 0, role: "region", "aria-label": "What has happened, the newest first" }, list, older));
  return { element };
}

/** Entries of the stream may not have been numbered yet, and come once more with a number. */
function key(entry: StoryEntry): string {
  return `${entry.time} ${entry.kind} ${entry.text}`;
}
