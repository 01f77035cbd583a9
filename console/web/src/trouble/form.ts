// Trouble on purpose: which, for whom, for how long.

import type { App } from "../app.js";
import { h, setText } from "../dom.js";
import { card, labelled } from "../parts/card.js";
import type { Life } from "../parts/life.js";
import { said } from "../parts/said.js";
import { KINDS, kindName, request, type Kind } from "./kinds.js";
import { targetsPart } from "./targets.js";

export function faultForm(app: App, life: Life, started: () => void): HTMLElement {
  const targets = targetsPart(app, life);
  const kind = h("select", { class: "field", "data-testid": "fault-kind" }, ...KINDS.map((known) => h("option", { value: known.kind }, known.name)));
  const about = h("p", { class: "muted", role: "status" });
  const number = (most: number, value: number, testid: string): HTMLInputElement => h("input", { class: "field", type: "number", min: 1, max: most, step: 1, value, "data-testid": testid });
  const seconds = number(86_400, 30, "fault-seconds");
  seconds.placeholder = "until stopped";
  const latency = number(600_000, 2000, "fault-latency");
  const rate = number(100_000, 1, "fault-rate");
  const hub = h("select", { class: "field" }, h("option", { value: "" }, "every hub"), ...app.session.hubs.map((name) => h("option", { value: name }, name)));
  const extras: Record<string, HTMLElement> = { latency: labelled("Later by, ms", latency), throttle: labelled("Messages a second", rate), hubGone: labelled("Hub", hub) };
  const fault = h("p", { class: "field-error", role: "alert", hidden: true });
  const start = h("button", { type: "submit", class: "button button-primary", "data-testid": "fault-start" }, "Start");

  const explain = (): void => {
    setText(about, KINDS.find((candidate) => candidate.kind === kind.value)?.happens ?? "");
    for (const [name, extra] of Object.entries(extras)) extra.hidden = name !== kind.value;
  };
  const refuse = (text: string): void => {
    setText(fault, text);
    fault.hidden = false;
  };
  const send = async (): Promise<void> => {
    const asked = request({ kind: kind.value as Kind, devices: targets.chosen(), seconds: seconds.value, latencyMs: latency.value, perSecond: rate.value, hub: hub.value });
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
  };

  kind.addEventListener("change", explain);
  explain();
  const form = h("form", { class: "form" },
    h("div", { class: "row row-fields" }, labelled("Kind", kind), labelled("For, s", seconds), ...Object.values(extras)),
    about, targets.element, fault, h("div", { class: "row" }, start));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });
  return card("Make trouble", { testid: "fault-form" }, form);
}
