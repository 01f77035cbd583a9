// How many devices are in each state; pressed, a state filters the list and the map.

import type { App } from "../app.js";
import { h, setAttribute, setText } from "../dom.js";
import { LOOK_NAMES, LOOKS, look, mark, type Look } from "../states.js";

export interface Chips {
  element: HTMLElement;
  destroy(): void;
}

export function chips(app: App, changed: (looks: ReadonlySet<Look>) => void): Chips {
  const pressed = new Set<Look>();
  const all = LOOKS.map((name) => {
    const count = h("span", { class: "state-count" });
    const button = h("button", { type: "button", class: "state-chip", "aria-pressed": "false", "data-testid": `state-${name}` }, mark(name), h("span", {}, LOOK_NAMES[name]), count);
    button.addEventListener("click", () => {
      if (!pressed.delete(name)) pressed.add(name);
      setAttribute(button, "aria-pressed", String(pressed.has(name)));
      update();
      changed(pressed);
    });
    return { name, count, button };
  });

  const update = (): void => {
    const counts = new Map<Look, number>();
    for (const row of app.store.rows().values()) {
      const its = look(row);
      counts.set(its, (counts.get(its) ?? 0) + 1);
    }
    for (const { name, count, button } of all) {
      const sum = counts.get(name) ?? 0;
      setText(count, app.format.number(sum));
      button.hidden = sum === 0 && !pressed.has(name) && name !== "ok";
    }
  };
  update();
  const element = h("div", { class: "state-chips", role: "group", "aria-label": "States" }, ...all.map(({ button }) => button));
  return { element, destroy: app.store.subscribe(update) };
}
