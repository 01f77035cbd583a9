// Zooming and moving without a mouse: buttons, and the same by keys.

import { h } from "../../dom.js";
import { isWhole, type View } from "../../voyage/view.js";

export interface Acts {
  zoom(factor: number): void;
  pan(share: number): void;
  reset(): void;
  newest(seconds: number): void;
  /** Moves the cursor by a share of what is in view. */
  point(share: number): void;
}

export const KEYS_TOLD =
  "Charts. Plus and minus zoom, arrow left and right move, with Shift they move the cursor and its values are read out, 0 shows the whole voyage.";

const SPANS: readonly [string, number][] = [["24 h", 86_400], ["7 d", 7 * 86_400], ["30 d", 30 * 86_400]];
const IN = 0.5;
const OUT = 2;

/** What a key does; true where it does anything. */
export function keys(event: KeyboardEvent, acts: Acts): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const act = actOf(event.key, event.shiftKey, acts);
  if (act === null) return false;
  event.preventDefault();
  act();
  return true;
}

function actOf(key: string, isShifted: boolean, acts: Acts): (() => void) | null {
  switch (key) {
    case "+":
    case "=":
      return () => acts.zoom(IN);
    case "-":
    case "_":
      return () => acts.zoom(OUT);
    case "0":
    case "Home":
      return () => acts.reset();
    case "ArrowLeft":
      return () => (isShifted ? acts.point(-0.01) : acts.pan(-0.15));
    case "ArrowRight":
      return () => (isShifted ? acts.point(0.01) : acts.pan(0.15));
    default:
      return null;
  }
}

export function controls(acts: Acts): { element: HTMLElement; update(view: View, whole: View): void } {
  const button = (label: string, text: string, act: () => void): HTMLButtonElement =>
    h("button", { type: "button", class: "button button-small", "aria-label": label, title: label, onclick: act }, text);
  const spans = SPANS.map(([text, seconds]) => ({ seconds, button: h("button", { type: "button", "aria-label": `The newest ${text}`, onclick: () => acts.newest(seconds) }, text) }));
  const all = h("button", { type: "button", onclick: () => acts.reset(), "data-testid": "charts-whole" }, "Voyage");
  const earlier = button("Earlier", "←", () => acts.pan(-0.5));
  const later = button("Later", "→", () => acts.pan(0.5));
  const out = button("Zoom out", "−", () => acts.zoom(OUT));
  const element = h(
    "div",
    { class: "charts-bar", role: "group", "aria-label": "Time shown" },
    h("div", { class: "segmented" }, ...spans.map((span) => span.button), all),
    h("div", { class: "charts-steps" }, earlier, later, button("Zoom in", "+", () => acts.zoom(IN)), out),
  );
  return {
    element,
    update(view, whole) {
      const isAll = isWhole(view, whole);
      const isNewest = Math.abs(view.to - whole.to) < 1;
      all.setAttribute("aria-pressed", String(isAll));
      for (const span of spans) {
        span.button.hidden = whole.to - whole.from <= span.seconds;
        span.button.setAttribute("aria-pressed", String(!isAll && isNewest && Math.abs(view.to - view.from - span.seconds) < 1));
      }
      earlier.disabled = view.from <= whole.from + 0.5;
      later.disabled = isNewest;
      out.disabled = isAll;
    },
  };
}
