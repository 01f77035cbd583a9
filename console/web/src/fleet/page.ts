// The fleet: every device, and what state it is in.

import type { App } from "../app.js";
import { h, setText } from "../dom.js";
import { LOOK_NAMES, LOOKS, look, mark } from "../states.js";

export function mount(root: HTMLElement, app: App): () => void {
  const counts = LOOKS.map((name) => {
    const count = h("td", { class: "number" });
    return { name, count, row: h("tr", {}, h("td", {}, mark(name)), h("td", {}, LOOK_NAMES[name]), count) };
  });
  root.append(h("div", { class: "page" }, h("h1", {}, "Fleet"), h("table", { class: "table card" }, h("tbody", {}, ...counts.map(({ row }) => row)))));
  const update = (): void => {
    for (const { name, count } of counts) {
      let sum = 0;
      for (const row of app.store.rows().values()) if (look(row) === name) sum += 1;
      setText(count, app.format.number(sum));
    }
  };
  update();
  return app.store.subscribe(update);
}
