// Whom a fault is to strike: devices that are ticked, or all of them.

import type { App } from "../app.js";
import { h, setText } from "../dom.js";
import { matching } from "../enrollment/devices.js";
import { refill } from "../parts/card.js";
import { throttled, type Life } from "../parts/life.js";
import { LOOK_NAMES, look, mark } from "../states.js";

const SHOWN = 60;

export interface Targets {
  element: HTMLElement;
  chosen(): string[] | "all";
}

export function targetsPart(app: App, life: Life): Targets {
  const chosen = new Set<string>();
  const all = h("input", { type: "checkbox", class: "box", "data-testid": "fault-all" });
  const search = h("input", { class: "field", type: "search", placeholder: "ID, hub, cargo, state", "aria-label": "Find devices" });
  const list = h("ul", { class: "targets" });
  const told = h("p", { class: "muted small", role: "status" });

  const tell = (found: number): void => {
    const rest = found > SHOWN ? `, the first ${SHOWN} shown: type to find others` : "";
    setText(told, all.checked ? "All devices are struck." : `${app.format.number(chosen.size)} of ${app.format.number(found)} found are chosen${rest}.`);
  };
  const draw = (): void => {
    const found = matching([...app.store.rows().values()], search.value);
    refill(list, ...found.slice(0, SHOWN).map((row) => {
      const box = h("input", { type: "checkbox", class: "box", "data-testid": `fault-device-${row.id}`, checked: chosen.has(row.id), disabled: all.checked });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(row.id);
        else chosen.delete(row.id);
        tell(found.length);
      });
      const name = LOOK_NAMES[look(row)];
      return h("li", {}, h("label", { class: "target", title: name }, box, mark(look(row)), h("span", {}, row.id, h("span", { class: "visually-hidden" }, `, ${name}`))));
    }));
    tell(found.length);
  };

  all.addEventListener("change", draw);
  search.addEventListener("input", draw);
  // The list is made anew only when devices come or go: nobody's aim should be moved away.
  const redraw = throttled(life, 1000, draw);
  let known = app.store.rows().size;
  life.add(app.store.subscribe(() => {
    if (app.store.rows().size === known) return;
    known = app.store.rows().size;
    redraw();
  }));
  draw();
  const element = h("fieldset", { class: "targets-set" }, h("legend", { class: "label" }, "Whom it strikes"),
    h("div", { class: "row" }, h("label", { class: "target" }, all, h("strong", {}, "All devices")), search), list, told);
  return { element, chosen: () => (all.checked ? "all" : [...chosen].filter((id) => app.store.row(id) !== undefined)) };
}
