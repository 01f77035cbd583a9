// The card beside a marker: what is known of a device, or who is in a cluster.

import type { Row } from "../api-types.js";
import type { App } from "../app.js";
import { h } from "../dom.js";
import { MISSING } from "../format.js";
import { nameOf, stateText } from "../names.js";
import { LOOK_NAMES, LOOKS, look, mark } from "../states.js";
import type { Cluster } from "./clusters.js";

const AWAY = 16;

export class Card {
  readonly element = h("div", { class: "map-card", hidden: true });
  private shown = "";

  constructor(private readonly app: App) {}

  hide(): void {
    this.element.hidden = true;
    this.shown = "";
  }

  /** Shows a device; `isPinned`: with a way to its page. */
  device(row: Row, isPinned: boolean): void {
    const { format, store } = this.app;
    const facts: [string, string][] = [
      ["Cargo", row.cargo ?? MISSING],
      ["Temperature", format.temperature(row.temperature)],
      ["Place", row.place ?? format.position(row.at, 2)],
      ["Speed", format.speed(row.speed)],
      ["Last seen", format.ago(row.lastSeen, store.now())],
    ];
    this.fill(
      JSON.stringify([row.id, row.state, isPinned, facts]),
      isPinned,
      h("div", { class: "map-card-title" }, mark(look(row)), h("strong", {}, nameOf(row, format))),
      row.container !== null && h("div", { class: "small muted" }, row.id),
      h("div", { class: "small" }, stateText(row)),
      h("dl", { class: "map-card-facts small" }, ...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])),
      isPinned && h("a", { class: "button", href: `#/device/${encodeURIComponent(row.id)}` }, "Open"),
    );
  }

  cluster(cluster: Cluster): void {
    const { format } = this.app;
    const counts = LOOKS.map((name, at) => ({ name, count: cluster.looks[at] ?? 0 })).filter(({ count }) => count > 0);
    this.fill(
      JSON.stringify(["cluster", counts]),
      false,
      h("strong", {}, `${format.number(cluster.members.length)} containers`),
      ...counts.map(({ name, count }) =>
        h("div", { class: "map-card-count small" }, mark(name), h("span", {}, LOOK_NAMES[name]), h("span", { class: "number" }, format.number(count)))),
    );
  }

  /** Puts the card beside a place, on the side with room. */
  move(x: number, y: number, width: number, height: number): void {
    const { element } = this;
    element.hidden = false;
    const [wide, tall] = [element.offsetWidth, element.offsetHeight];
    const left = x + AWAY + wide > width ? x - AWAY - wide : x + AWAY;
    const top = Math.max(8, Math.min(height - tall - 8, y - tall / 2));
    element.style.transform = `translate(${Math.round(Math.max(8, left))}px, ${Math.round(top)}px)`;
  }

  private fill(key: string, isPinned: boolean, ...children: (Node | false)[]): void {
    if (key === this.shown) return;
    this.shown = key;
    this.element.classList.toggle("is-pinned", isPinned);
    this.element.replaceChildren(...children.filter((child) => child !== false));
  }
}
