// A titled part of a page.

import { hubLabel } from "../names.js";
import { h, type Child } from "../dom.js";

let count = 0;

/** A section with its heading, and what stands beside the heading. */
export function card(title: string, options: { class?: string; beside?: Child[]; testid?: string }, ...children: Child[]): HTMLElement {
  count += 1;
  const id = `part-${count}`;
  return h(
    "section",
    { class: `card part ${options.class ?? ""}`.trim(), "aria-labelledby": id, "data-testid": options.testid ?? null },
    h("div", { class: "part-head" }, h("h2", { id }, title), ...(options.beside ?? [])),
    ...children,
  );
}

/** Replaces an element's children. */
export function fill(element: Element, ...children: Child[]): void {
  const nodes = children.filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...nodes.map((child) => (typeof child === "number" ? String(child) : (child as Node | string))));
}

/** Replaces an element's children, and gives the focus to what stands where the focus was. */
export function refill(element: Element, ...children: Child[]): void {
  const focused = element.contains(document.activeElement) ? document.activeElement : null;
  const names = ["data-testid", "data-device", "aria-label"].map((name): [string, string | null] => [name, focused?.getAttribute(name) ?? null]);
  fill(element, ...children);
  if (focused === null) return;
  const same = [...element.querySelectorAll<HTMLElement>("button, input, a, [tabindex]")].find((candidate) =>
    names.some(([name, value]) => value !== null && candidate.getAttribute(name) === value));
  (same ?? element.querySelector<HTMLElement>("[tabindex]"))?.focus();
}

/** A table that scrolls by itself where it is wider than the page. */
export function table(caption: string, heads: (string | { text: string; isNumber: boolean })[], rows: HTMLTableRowElement[]): HTMLElement {
  const cells = heads.map((head) => {
    const text = typeof head === "string" ? head : head.text;
    const name = typeof head !== "string" && head.isNumber ? "number" : null;
    return text === "" ? h("td", {}) : h("th", { scope: "col", class: name }, text);
  });
  return h(
    "div",
    { class: "scrolled", tabindex: 0, role: "region", "aria-label": caption },
    h("table", { class: "table" }, h("caption", { class: "visually-hidden" }, caption), h("thead", {}, h("tr", {}, ...cells)), h("tbody", {}, ...rows)),
  );
}

/** A row of cells; the first one heads it. */
export function tr(...cells: (Child | { number: string })[]): HTMLTableRowElement {
  return h(
    "tr",
    {},
    ...cells.map((cell, index) => {
      if (isNumberCell(cell)) return h("td", { class: "number" }, cell.number);
      return index === 0 ? h("th", { scope: "row", class: "row-head" }, cell) : h("td", {}, cell);
    }),
  );
}

function isNumberCell(cell: unknown): cell is { number: string } {
  return typeof cell === "object" && cell !== null && "number" in cell && !(cell instanceof Node);
}

/** A label over its control. */
export function labelled(label: string, control: HTMLElement, hint?: string): HTMLElement {
  return h("label", { class: "labelled" }, h("span", { class: "label" }, label), control, hint !== undefined && h("span", { class: "muted small" }, hint));
}

/** A hub by the first label of its host name, which is enough to tell hubs apart; the whole name is its title. */
export function hubName(hub: string | null | undefined): Child {
  if (!hub) return "–";
  const first = hubLabel(hub);
  return first === hub ? hub : h("span", { title: hub }, first);
}

/** Why something can't be done here. */
export function why(text: string): HTMLElement {
  return h("p", { class: "muted why" }, text);
}
