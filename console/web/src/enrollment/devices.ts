// All devices with their enrollment and what may be wrong with it; some of them chosen, to do something to them at once.

import type { App } from "../app.js";
import type { Row } from "../api-types.js";
import { h, setText } from "../dom.js";
import { card, fill, hubName, refill, table, tr } from "../parts/card.js";
import { throttled, type Life } from "../parts/life.js";
import { deprovision, deprovisionAll, disable, enable, move } from "../parts/operations.js";
import { LOOK_NAMES, look, mark } from "../states.js";
import { byReason } from "./words.js";

const SHOWN = 25;
const REDRAW_MS = 800;

export function devicesPart(app: App, life: Life, canChange: boolean): HTMLElement {
  const chosen = new Set<string>();
  const search = h("input", { class: "field", type: "search", placeholder: "ID, hub, enrollment, state", "aria-label": "Find devices", "data-testid": "enrollment-search" });
  const place = h("div", {});
  const told = h("p", { class: "muted small", role: "status" });
  const refused = h("div", { class: "refused" });
  const bar = h("div", { class: "row", role: "group", "aria-label": "With the chosen devices" });
  let page = 0;

  const found = (): Row[] => matching([...app.store.rows().values()], search.value);
  const ids = (): string[] => [...chosen].filter((id) => app.store.row(id) !== undefined);

  function draw(): void {
    const all = found();
    const pages = Math.max(1, Math.ceil(all.length / SHOWN));
    page = Math.min(page, pages - 1);
    const shown = all.slice(page * SHOWN, (page + 1) * SHOWN);
    refill(place, shown.length === 0 ? h("p", { class: "muted" }, "No device matches.") : rowsTable(shown));
    setText(told, `${app.format.number(all.length)} ${all.length === 1 ? "device" : "devices"}${pages > 1 ? `, page ${page + 1} of ${pages}` : ""}${chosen.size > 0 ? `, ${app.format.number(ids().length)} chosen` : ""}`);
    back.hidden = next.hidden = pages === 1;
    back.disabled = page === 0;
    next.disabled = page === pages - 1;
    fill(refused, ...refusals(app));
    for (const button of bar.querySelectorAll("button")) if (!button.hasAttribute("data-all")) button.disabled = ids().length === 0;
  }

  function rowsTable(shown: Row[]): HTMLElement {
    const rows = shown.map((row) => {
      const name = look(row);
      const box = h("input", { type: "checkbox", class: "box", "data-device": row.id, "aria-label": `Choose ${row.id}`, checked: chosen.has(row.id) });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(row.id);
        else chosen.delete(row.id);
        draw();
      });
      const head = h("span", { class: "row row-tight" }, canChange && box, h("a", { href: `#/device/${encodeURIComponent(row.id)}` }, row.id));
      return tr(head, h("span", { class: "row row-tight" }, mark(name), LOOK_NAMES[name]), hubName(row.hub), row.enrollment ?? "–", CONNECTED[row.connection], row.refusal ?? "");
    });
    return table("All devices", ["Device", "State", "Hub", "Enrollment", "Connection", "Refused because"], rows);
  }

  const back = h("button", { type: "button", class: "button button-small", onclick: () => { page -= 1; draw(); } }, "Earlier page");
  const next = h("button", { type: "button", class: "button button-small", onclick: () => { page += 1; draw(); } }, "Next page");
  const button = (text: string, act: (ids: string[]) => Promise<boolean>, kind = ""): HTMLElement =>
    h("button", { type: "button", class: `button button-small ${kind}`.trim(), "data-testid": `chosen-${text.toLowerCase()}`, onclick: () => void act(ids()).then((isDone) => { if (isDone) chosen.clear(); if (!life.isOver) draw(); }) }, text);

  if (canChange) {
    const select = h("button", { type: "button", class: "button button-small", "data-all": "", onclick: () => { for (const row of found()) chosen.add(row.id); draw(); } }, "Choose all found");
    const all = h("button", { type: "button", class: "button button-small button-danger", "data-all": "", "data-testid": "deprovision-all", onclick: () => void deprovisionAll(app, app.store.rows().size) }, "Deprovision all…");
    fill(bar, select, button("Disable", (list) => disable(app, list)), button("Enable", (list) => enable(app, list)), app.session.hubs.length > 1 && button("Move", (list) => move(app, list)), button("Deprovision", (list) => deprovision(app, list), "button-danger"), all);
  }
  search.addEventListener("input", () => {
    page = 0;
    draw();
  });
  life.add(app.store.subscribe(throttled(life, REDRAW_MS, draw)));
  draw();
  return card("Devices", { beside: [search], testid: "enrollment-devices" }, refused, canChange && bar, told, place, h("div", { class: "row" }, back, next));
}

const CONNECTED: Record<Row["connection"], string> = { connected: "connected", disconnected: "not connected", never: "never connected" };

function refusals(app: App): HTMLElement[] {
  const rows = [...app.store.rows().values()].filter((row) => row.state === "refused");
  return byReason(rows).map(({ reason, ids }) => {
    const names = ids.slice(0, 6).map((id) => h("a", { href: `#/device/${encodeURIComponent(id)}` }, id));
    const list = names.flatMap((name, index) => (index === 0 ? [name] : [", ", name]));
    return h("p", { class: "banner" }, h("strong", {}, ids.length === 1 ? "Refused: " : `${app.format.number(ids.length)} refused: `), reason, " ", h("span", { class: "small" }, ...list, ids.length > 6 && " …"));
  });
}

const ORDER = new Intl.Collator(undefined, { numeric: true });

/** Rows whose words begin with all that was typed, in the order of their IDs. */
export function matching(rows: Row[], typed: string): Row[] {
  const wanted = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const words = (row: Row): string => [row.id, row.hub, row.enrollment, row.container, row.cargo, row.state, row.connection].filter(Boolean).join(" ").toLowerCase();
  return rows.filter((row) => wanted.length === 0 || wanted.every((part) => words(row).includes(part))).sort((a, b) => ORDER.compare(a.id, b.id));
}
