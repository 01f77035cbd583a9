// Trouble on purpose: which, for whom, for how long.

import type { App } from "../app.js";
import { h, setText } from "../dom.js";
import { card, labelled, refill } from "../parts/card.js";
import { throttled, type Life } from "../parts/life.js";
import { said } from "../parts/said.js";
import { matching } from "../enrollment/devices.js";
import { LOOK_NAMES, look, mark } from "../states.js";
import { KINDS, kindName, request, type Kind } from "./kinds.js";

const SHOWN = 60;

export function faultForm(app: App, life: Life, started: () => void): HTMLElement {
  const chosen = new Set<string>();
  const kind = h("select", { class: "field", "data-testid": "fault-kind" }, ...KINDS.map((known) => h("option", { value: known.kind }, known.name)));
  const about = h("p", { class: "muted", role: "status" });
  const seconds = h("input", { class: "field", type: "number", min: 1, max: 86_400, step: 1, value: 30, placeholder: "until stopped", "data-testid": "fault-seconds" });
  const latency = h("input", { class: "field", type: "number", min: 1, max: 600_000, step: 1, value: 2000, "data-testid": "fault-latency" });
  const rate = h("input", { class: "field", type: "number", min: 1, max: 100_000, step: 1, value: 1, "data-testid": "fault-rate" });
  const hub = h("select", { class: "field" }, h("option", { value: "" }, "every hub"), ...app.session.hubs.map((name) => h("option", { value: name }, name)));
  const extras: Record<string, HTMLElement> = { latency: labelled("Later by, ms", latency), throttle: labelled("Messages a second", rate), hubGone: labelled("Hub", hub) };
  const all = h("input", { type: "checkbox", class: "box", "data-testid": "fault-all" });
  const search = h("input", { class: "field", type: "search", placeholder: "ID, hub, cargo, state", "aria-label": "Find devices" });
  const list = h("ul", { class: "targets" });
  const told = h("p", { class: "muted small", role: "status" });
  const fault = h("p", { class: "field-error", role: "alert", hidden: true });
  const start = h("button", { type: "submit", class: "button button-primary", "data-testid": "fault-start" }, "Start");

  function explain(): void {
    const known = KINDS.find((candidate) => candidate.kind === kind.value);
    setText(about, known?.happens ?? "");
    for (const [name, extra] of Object.entries(extras)) extra.hidden = name !== kind.value;
  }

  function draw(): void {
    const found = matching([...app.store.rows().values()], search.value);
    refill(list, ...found.slice(0, SHOWN).map((row) => {
      const box = h("input", { type: "checkbox", class: "box", "data-testid": `fault-device-${row.id}`, checked: chosen.has(row.id), disabled: all.checked });
      box.addEventListener("change", () => {
        if (box.checked) chosen.add(row.id);
        else chosen.delete(row.id);
        tell(found.length);
      });
      return h("li", {}, h("label", { class: "target" }, box, mark(look(row)), h("span", {}, row.id, h("span", { class: "visually-hidden" }, `, ${LOOK_NAMES[look(row)]}`))));
    }));
    tell(found.length);
  }

  function tell(found: number): void {
    const rest = found > SHOWN ? `, the first ${SHOWN} shown: type to find others` : "";
    const many = all.checked ? "All devices are struck." : `${app.format.number(chosen.size)} of ${app.format.number(found)} found are chosen${rest}.`;
    setText(told, many);
  }

  async function send(): Promise<void> {
    const here = [...chosen].filter((id) => app.store.row(id) !== undefined);
    const asked = request({ kind: kind.value as Kind, devices: all.checked ? "all" : here, seconds: seconds.value, latencyMs: latency.value, perSecond: rate.value, hub: hub.value });
    if ("error" in asked) return refuse(asked.error);
    start.disabled = true;
    fault.hidden = true;
    try {
      await app.api.startFault(asked.value);
      app.notify(`${kindName(kind.value)}: started.`);
      started();
    } catch (error) {
      refuse(`It was not started: ${said(error)}`);
    }
    start.disabled = false;
  }

  function refuse(text: string): void {
    setText(fault, text);
    fault.hidden = false;
  }

  kind.addEventListener("change", explain);
  all.addEventListener("change", draw);
  search.addEventListener("input", draw);
  const redraw = throttled(life, 1000, draw);
  let known = app.store.rows().size;
  // The list is made anew only when devices come or go: nobody's aim should be moved away.
  life.add(app.store.subscribe(() => {
    if (app.store.rows().size === known) return;
    known = app.store.rows().size;
    redraw();
  }));
  explain();
  draw();

  const form = h("form", { class: "form" },
    h("div", { class: "row row-fields" }, labelled("Kind", kind), labelled("For, s", seconds), ...Object.values(extras)),
    about,
    h("fieldset", { class: "targets-set" }, h("legend", { class: "label" }, "Whom it strikes"),
      h("div", { class: "row" }, h("label", { class: "target" }, all, h("strong", {}, "All devices")), search), list, told),
    fault, h("div", { class: "row" }, start));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });
  return card("Make trouble", { testid: "fault-form" }, form);
}
