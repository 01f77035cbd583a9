// The story that is played: each step with what is done, expected and seen; and who looks on may let it go on step by step.

import type { App } from "../app.js";
import type { Scenario, ScenarioStep } from "../api-types.js";
import { h, type Child } from "../dom.js";
import { card, fill } from "../parts/card.js";
import type { Life } from "../parts/life.js";
import { said } from "../parts/said.js";

const LOOK_MS = 700;

/** Null where no story is played. `changed` is called when a step has changed something. */
export function scenarioPart(app: App, life: Life, changed: () => void): HTMLElement | null {
  // Voyages have a speed; a story is played in real time.
  if (app.session.mode !== "simulation" || app.session.time.speed !== null) return null;
  const list = h("ol", { class: "scenario-steps", "data-testid": "scenario-steps" });
  const next = h("button", { type: "button", class: "button button-primary", disabled: true, "data-testid": "scenario-next", onclick: () => steer({ isNext: true }) }, "Next step");
  const mode = h("button", { type: "button", class: "button", "data-testid": "scenario-mode" }, "Step by step");
  const state = h("p", { class: "muted", role: "status", "data-testid": "scenario-state" });
  const element = card("The story", { testid: "scenario" }, h("div", {}, h("div", { class: "row" }, app.session.can.scenario && next, app.session.can.scenario && mode), state, list));
  element.hidden = true;

  let shown = "";
  const show = (scenario: Scenario | null): void => {
    element.hidden = scenario === null;
    if (scenario === null || JSON.stringify(scenario) === shown) return;
    shown = JSON.stringify(scenario);
    changed();
    const { steps, isStepping, isWaiting, verdict } = scenario;
    next.disabled = !isWaiting;
    mode.hidden = next.hidden = verdict !== null;
    mode.textContent = isStepping ? "Run on" : "Step by step";
    mode.onclick = () => steer({ isStepping: !isStepping });
    const waits = isWaiting ? `Step ${steps.length} waits for you.` : steps.length === 0 ? "It has not begun." : `Step ${steps.length} is under way.`;
    state.textContent = `${scenario.title}. ${verdict ?? waits}`;
    fill(list, ...steps.map((step) => item(app, step)));
    list.lastElementChild?.scrollIntoView?.({ block: "nearest" });
  };
  const failed = (error: unknown): void => {
    if (!life.isOver) state.textContent = `It can't be fetched: ${said(error)}`;
  };
  const look = (): void => void app.api.scenario().then(({ scenario }) => !life.isOver && show(scenario), failed);
  const steer = (wish: { isStepping?: boolean; isNext?: boolean }): void => {
    next.disabled = true;
    shown = "";
    app.api.steerScenario(wish).then(({ scenario }) => !life.isOver && show(scenario), (error: unknown) => app.notify(said(error), "error"));
  };
  life.every(LOOK_MS, look);
  look();
  return element;
}

function item(app: App, { title, expected, seen, isAsExpected, seconds }: ScenarioStep): HTMLElement {
  const mark = isAsExpected === null ? "…" : isAsExpected ? "✓" : "✕";
  const came: Child = seen === null ? null : h("p", { class: "scenario-seen", "data-good": String(isAsExpected) }, h("span", { "aria-hidden": "true" }, `${mark} `), h("span", { class: "visually-hidden" }, isAsExpected === true ? "As expected: " : "Not as expected: "), seen, seconds !== null && h("span", { class: "muted small" }, ` ${app.format.number(Math.round(seconds * 10) / 10)} s`));
  return h("li", { class: "scenario-step", "data-state": seen === null ? "open" : "done" }, h("p", { class: "scenario-title" }, title), h("p", { class: "muted small" }, `Expected: ${expected}`), came);
}
