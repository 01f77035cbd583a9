// The faults in force, each with a way to end it.

import type { App } from "../app.js";
import type { Fault } from "../api-types.js";
import { h, setText } from "../dom.js";
import { card, refill } from "../parts/card.js";
import type { Life } from "../parts/life.js";
import { said } from "../parts/said.js";
import { dig, text } from "../parts/loose.js";
import { kindName } from "./kinds.js";

export interface Faults {
  element: HTMLElement;
  fetch(): Promise<void>;
}

/** `changed` is told the faults whenever they were fetched. */
export function faultsPart(app: App, life: Life, canChange: boolean, changed: (faults: Fault[]) => void): Faults {
  const list = h("ul", { class: "faults", "data-testid": "faults" });
  const none = h("p", { class: "muted", role: "status" }, "Nothing is wrong on purpose.");
  const all = h("button", { type: "button", class: "button button-small", hidden: true, "data-testid": "fault-stop-all", onclick: () => void stop(shown) }, "Stop all");
  let shown: Fault[] = [];

  async function fetch(): Promise<void> {
    try {
      const faults = await app.api.faults();
      if (life.isOver) return;
      shown = faults;
      setText(none, "Nothing is wrong on purpose.");
      none.hidden = faults.length > 0;
      draw();
      changed(faults);
    } catch (error) {
      if (life.isOver) return;
      setText(none, `The faults can't be fetched: ${said(error)}`);
      none.hidden = false;
    }
  }

  function draw(): void {
    all.hidden = shown.length < 2 || !canChange;
    refill(list, ...shown.map((fault) => {
      const button = canChange && h("button", { type: "button", class: "button button-small", "data-testid": "fault-stop", "data-fault": fault.id, "aria-label": `Stop ${faultName(fault)}`, onclick: () => void stop([fault]) }, "Stop");
      return h("li", { class: "fault" }, h("div", {}, h("strong", {}, faultName(fault)), " ", h("span", {}, targets(fault.devices)), h("p", { class: "muted small" }, rest(app, fault))), button);
    }));
  }

  async function stop(faults: Fault[]): Promise<void> {
    try {
      for (const fault of faults) await app.api.stopFault(String(fault.id));
      app.notify(faults.length === 1 ? `${faultName(faults[0])}: stopped.` : "All faults are stopped.");
    } catch (error) {
      app.notify(`It was not stopped: ${said(error)}`, "error");
    }
    await fetch();
  }

  life.every(1000, () => {
    // Only the time that is left changes of itself.
    for (const [index, item] of [...list.children].entries()) {
      const line = item.querySelector("p");
      const fault = shown[index];
      if (line !== null && fault !== undefined) setText(line, rest(app, fault));
    }
    if (shown.some((fault) => (left(fault) ?? 1) <= 0)) void fetch();
  });
  return { element: card("In force", { beside: [all], testid: "faults-card" }, none, list), fetch };
}

function faultName(fault: Fault | undefined): string {
  return fault?.kind ? kindName(fault.kind) : (text(dig(fault, "text")) ?? kindName(null));
}

export function targets(devices: string[] | "all"): string {
  if (devices === "all") return "for all devices";
  if (devices.length === 0) return "for nobody";
  const names = devices.slice(0, 3).join(", ");
  return `for ${names}${devices.length > 3 ? ` and ${devices.length - 3} more` : ""}`;
}

/** Seconds that are left by this computer's clock; null where it lasts until it is stopped. */
function left(fault: Fault): number | null {
  const until = Date.parse(text(fault["until"]) ?? "");
  return Number.isNaN(until) ? null : Math.ceil((until - Date.now()) / 1000);
}

function rest(app: App, fault: Fault): string {
  const seconds = left(fault);
  const detail = fault.kind ? (text(fault["text"]) ?? "") : "";
  const time = seconds === null ? "until it is stopped" : seconds <= 0 ? "ends now" : `for ${app.format.duration(seconds)} more`;
  return detail === "" || detail === fault.kind ? time : `${detail}; ${time}`;
}
