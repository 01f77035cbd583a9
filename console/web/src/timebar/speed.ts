// The fleet's clock in the header, and in a simulation what makes it go faster, slower or not at all.

import type { App } from "../app.js";
import { h, setAttribute, setText } from "../dom.js";
import { icon, type Icon } from "../icons.js";

/** Simulated hours in a second: time as it is, and the fastest offered. */
const SLOWEST = 1 / 3600;
const FASTEST = 48;

export function speedBar(app: App): HTMLElement {
  const clock = h("time", { class: "clock" });
  const universal = h("span", { class: "clock-utc small muted" });
  const speed = h("output", { class: "speed small", "data-testid": "speed", "aria-label": "Speed of the simulation" });
  const set = (change: { speed?: number; isPaused?: boolean }): void => {
    app.api.setTime(change).then(
      async () => app.store.setSession(await app.api.session()),
    ).catch((error: unknown) => app.notify(error instanceof Error ? error.message : String(error), "error"));
  };
  const now = (): number => app.session.time.speed ?? SLOWEST;
  const pause = button("Pause", "pause", () => set({ isPaused: !app.session.time.isPaused }));
  const slower = button("Slower", "minus", () => set({ speed: Math.max(SLOWEST, now() / 2) }));
  const faster = button("Faster", "plus", () => set({ speed: Math.min(FASTEST, now() * 2) }));
  const controls = h("div", { class: "speed-bar", role: "group", "aria-label": "Time" }, pause, slower, speed, faster);
  const element = h("div", { class: "time-bar" }, h("div", { class: "clock-face" }, clock, universal), controls);

  const tick = (): void => {
    const time = app.store.liveNow();
    setText(clock, app.format.time(time));
    setText(universal, app.format.utcBeside(time));
  };
  let isShownPaused = false;
  const update = (): void => {
    const { time, can, readOnly } = app.session;
    controls.hidden = time.speed === null || !can.time;
    for (const control of [pause, slower, faster]) control.disabled = readOnly;
    slower.disabled ||= now() <= SLOWEST;
    faster.disabled ||= now() >= FASTEST;
    setText(speed, time.isPaused ? "Paused" : speedText(app, now()));
    if (time.isPaused !== isShownPaused) pause.replaceChildren(icon(time.isPaused ? "play" : "pause"));
    isShownPaused = time.isPaused;
    setAttribute(pause, "aria-label", time.isPaused ? "Go on" : "Pause");
    setAttribute(pause, "title", time.isPaused ? "Go on" : "Pause");
    tick();
  };
  app.store.onStatus(update);
  setInterval(tick, 1000);
  update();
  return element;
}

function speedText(app: App, hours: number): string {
  return hours <= SLOWEST * 1.01 ? "Real time" : `${app.format.duration(hours * 3600)} / s`;
}

function button(label: string, sign: Icon, act: () => void): HTMLButtonElement {
  return h("button", { type: "button", class: "button-quiet", "aria-label": label, title: label, onclick: act }, icon(sign));
}
