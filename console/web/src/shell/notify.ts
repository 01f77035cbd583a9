// Notifications: what the console has to say goes into regions that screen readers follow, and leaves by itself. An error
// stays until it is closed, or another says the same.

import { h } from "../dom.js";
import { icon } from "../icons.js";

const SHOWN_MS = 6000;
const AT_ONCE = 4;

export interface Notifier {
  element: HTMLElement;
  notify(text: string, kind?: "info" | "error"): void;
}

export function notifier(): Notifier {
  const polite = h("div", { role: "status", "aria-live": "polite", class: "notes" });
  const assertive = h("div", { role: "alert", "aria-live": "assertive", class: "notes" });
  const element = h("div", { class: "notifications", "data-testid": "notifications" }, assertive, polite);

  const notify = (text: string, kind: "info" | "error" = "info"): void => {
    const region = kind === "error" ? assertive : polite;
    for (const note of [...region.children]) {
      if (note.firstChild?.textContent === text) note.remove();
    }
    const note = h("div", { class: `note note-${kind}` }, h("span", {}, text));
    note.append(h("button", { type: "button", class: "button-quiet", "aria-label": "Close this message", onclick: () => note.remove() }, icon("close")));
    region.append(note);
    while (region.children.length > AT_ONCE) region.firstElementChild?.remove();
    if (kind === "info") setTimeout(() => note.remove(), SHOWN_MS);
  };
  return { element, notify };
}
