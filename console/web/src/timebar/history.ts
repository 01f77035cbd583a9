// Going back in the history: a slider over all the time that the console remembers, and a replay.

import type { App } from "../app.js";
import { h, setAttribute, setText } from "../dom.js";

const STEPS = 1000;
const DAY_MS = 86_400_000;
/** How long a replay of all the history takes, and how often it moves on, ms. */
const REPLAY_MS = 60_000;
const REPLAY_STEP_MS = 400;
/** What is shown where the server does not say how far back it remembers. */
const DEFAULT_SPAN = 7 * DAY_MS;

export interface History {
  /** Opens and closes the bar. */
  button: HTMLElement;
  bar: HTMLElement;
  destroy(): void;
}

export function history(app: App): History {
  const { store, format } = app;
  const button = h("button", { type: "button", class: "button", "aria-expanded": "false", "data-testid": "history" }, "History");
  const slider = h("input", { type: "range", min: 0, max: STEPS, step: 1, value: STEPS, class: "history-slider", "aria-label": "Time in the history" });
  const shown = h("output", { class: "history-time" });
  const first = h("span", { class: "small muted" });
  const play = h("button", { type: "button", class: "button", "data-testid": "replay" }, "Replay");
  const back = h("button", { type: "button", class: "button button-primary" }, "Back to now");
  const bar = h("section", { class: "history", "aria-label": "History", hidden: true }, play, first, slider, shown, back);

  const span = (): { from: number; to: number } => {
    const to = store.liveNow();
    const from = app.session.history ? Date.parse(app.session.history.first) : to - DEFAULT_SPAN;
    return { from: Math.min(from, to - 60_000), to };
  };
  let isAsking = false;
  let wish: number | null = null;
  // One question at a time; while it is under way only the last wish is kept.
  const show = async (position: number): Promise<void> => {
    wish = position;
    tell(position);
    if (isAsking) return;
    isAsking = true;
    while (wish !== null) {
      const { from, to } = span();
      const at: number = wish;
      wish = null;
      await store.show(at >= STEPS ? null : new Date(from + ((to - from) * at) / STEPS).toISOString()).catch((error: unknown) => {
        stop();
        app.notify(error instanceof Error ? error.message : String(error), "error");
      });
    }
    isAsking = false;
  };
  const tell = (position: number): void => {
    const { from, to } = span();
    const text = position >= STEPS ? "Now" : format.both(from + ((to - from) * position) / STEPS);
    setText(shown, text);
    setText(first, format.day(from));
    setAttribute(slider, "aria-valuetext", text);
  };

  let timer: ReturnType<typeof setInterval> | null = null;
  const stop = (): void => {
    if (timer !== null) clearInterval(timer);
    timer = null;
    setText(play, "Replay");
  };
  const start = (): void => {
    if (Number(slider.value) >= STEPS) slider.value = "0";
    setText(play, "Stop");
    timer = setInterval(() => {
      if (isAsking) return;
      slider.value = String(Math.min(STEPS, Number(slider.value) + (STEPS * REPLAY_STEP_MS) / REPLAY_MS));
      if (Number(slider.value) >= STEPS) stop();
      void show(Number(slider.value));
    }, REPLAY_STEP_MS);
  };

  slider.addEventListener("input", () => {
    stop();
    void show(Number(slider.value));
  });
  play.addEventListener("click", () => (timer === null ? start() : stop()));
  const reset = (): void => {
    stop();
    slider.value = String(STEPS);
    void show(STEPS);
  };
  back.addEventListener("click", () => {
    reset();
    slider.focus();
  });
  button.addEventListener("click", () => {
    bar.hidden = !bar.hidden;
    setAttribute(button, "aria-expanded", String(!bar.hidden));
    if (bar.hidden) reset();
    else tell(Number(slider.value));
  });

  return {
    button,
    bar,
    destroy: () => {
      stop();
      if (store.at !== null) void store.show(null);
    },
  };
}
