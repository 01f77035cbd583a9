// The map and the list beside each other, with a border that can be moved by hand or by key. What was chosen is kept.

import { h, setAttribute } from "../dom.js";

export type Arrangement = "map" | "both" | "list";

const KEY = "console.panes";
const LEAST = 20;
const MOST = 80;
const NAMES: Record<Arrangement, string> = { map: "Map", both: "Both", list: "List" };

export interface Panes {
  element: HTMLElement;
  /** Chooses between map, both and list. */
  switcher: HTMLElement;
}

export function panes(map: HTMLElement, list: HTMLElement): Panes {
  const held = recall();
  let { arrangement, share } = held;
  const border = h("div", {
    class: "panes-border", role: "separator", tabindex: 0, "aria-orientation": "vertical", "aria-label": "Border of map and list",
    "aria-valuemin": LEAST, "aria-valuemax": MOST,
  });
  const element = h("div", { class: "panes" }, h("div", { class: "pane pane-map" }, map), border, h("div", { class: "pane pane-list" }, list));
  const buttons = (Object.keys(NAMES) as Arrangement[]).map((name) => {
    const button = h("button", { type: "button" }, NAMES[name]);
    button.addEventListener("click", () => {
      arrangement = name;
      apply();
    });
    return { name, button };
  });

  const apply = (): void => {
    element.dataset["arrangement"] = arrangement;
    element.style.setProperty("--share", `${share}%`);
    setAttribute(border, "aria-valuenow", String(Math.round(share)));
    for (const { name, button } of buttons) setAttribute(button, "aria-pressed", String(name === arrangement));
    remember({ arrangement, share });
  };
  const move = (to: number): void => {
    share = Math.max(LEAST, Math.min(MOST, to));
    apply();
  };

  border.addEventListener("pointerdown", (event) => {
    border.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  border.addEventListener("pointermove", (event) => {
    if (!border.hasPointerCapture(event.pointerId)) return;
    const box = element.getBoundingClientRect();
    const isStacked = getComputedStyle(element).flexDirection === "column";
    move(isStacked ? ((event.clientY - box.top) / box.height) * 100 : ((event.clientX - box.left) / box.width) * 100);
  });
  border.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -4, ArrowUp: -4, ArrowRight: 4, ArrowDown: 4 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    move(share + step);
  });
  apply();
  return { element, switcher: h("div", { class: "segmented", role: "group", "aria-label": "Arrangement" }, ...buttons.map(({ button }) => button)) };
}

function recall(): { arrangement: Arrangement; share: number } {
  const usual = { arrangement: "both", share: 47 } as const;
  try {
    const { arrangement, share } = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<{ arrangement: Arrangement; share: number }>;
    return {
      arrangement: arrangement !== undefined && arrangement in NAMES ? arrangement : usual.arrangement,
      share: typeof share === "number" && share >= LEAST && share <= MOST ? share : usual.share,
    };
  } catch {
    return usual;
  }
}

function remember(value: { arrangement: Arrangement; share: number }): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(value));
  } catch {
    // A browser that keeps nothing shows the usual arrangement next time.
  }
}
