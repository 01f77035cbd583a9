// The list: a grid of which only the rows in sight are in the document, however many there are.

import type { Row } from "../api-types.js";
import type { App } from "../app.js";
import { h, setAttribute, setText } from "../dom.js";
import { COLUMNS, type Cell, type Column } from "./columns.js";
import { matches, sorted, wordsOf, type Wish } from "./order.js";

export const ROW_HEIGHT = 44;
const HEAD_HEIGHT = 34;
/** Rows kept beyond the edges of what is in sight. */
const BEYOND = 4;
/** A list that sorts itself anew under one's eyes cannot be read: at most this often, ms. */
const PATIENCE = 1500;

export interface ListEvents {
  open(id: string): void;
  /** The pointer is on a row, or on none. */
  pointed(id: string | null): void;
  /** The rows that are left by the search changed: null is all. */
  filtered(ids: ReadonlySet<string> | null): void;
}

interface Line {
  element: HTMLElement;
  cells: Cell[];
  id: string;
  shown: Row | null;
  at: number;
}

export class List {
  readonly element: HTMLElement;
  private readonly grid = h("div", { class: "list", role: "grid", tabindex: 0, "data-testid": "list", "aria-label": "Containers", "aria-colcount": COLUMNS.length });
  private readonly body = h("div", { class: "list-body", role: "rowgroup" });
  private readonly empty = h("div", { class: "empty list-empty", hidden: true });
  private readonly heads = new Map<Column, { cell: HTMLElement; sign: HTMLElement }>();
  private readonly lines = new Map<string, Line>();
  private readonly spare: Line[] = [];
  private order: Row[] = [];
  /** The rows of `order` by ID, as they were sorted. */
  private held = new Map<string, Row>();
  private column: Column = COLUMNS.find(({ name }) => name === "alarm") ?? (COLUMNS[0] as Column);
  private direction: 1 | -1 = 1;
  private wish: Wish = { search: "", looks: new Set(), ids: null };
  private active: string | null = null;
  private chosen: string | null = null;
  private count = 0;
  private sortedAt = 0;
  private again: ReturnType<typeof setTimeout> | null = null;
  private frame = 0;
  private readonly endings: (() => void)[] = [];

  constructor(private readonly app: App, private readonly events: ListEvents) {
    this.grid.append(this.head(), this.body);
    this.element = h("div", { class: "list-frame" }, this.grid, this.empty);
    const width = COLUMNS.reduce((sum, column) => sum + column.width, 0);
    this.grid.style.setProperty("--list-width", `${width}px`);
    this.grid.style.setProperty("--list-columns", COLUMNS.map((column) => `minmax(${column.width}px, ${column.width}fr)`).join(" "));
    this.grid.addEventListener("scroll", () => this.request(), { passive: true });
    this.grid.addEventListener("keydown", (event) => this.press(event));
    this.grid.addEventListener("focus", () => this.activate(this.active ?? this.order[0]?.id ?? null, false));
    this.body.addEventListener("click", (event) => this.click(event));
    this.body.addEventListener("pointerover", (event) => events.pointed(this.idAt(event)));
    this.body.addEventListener("pointerleave", () => events.pointed(null));
    const resized = new ResizeObserver(() => this.request());
    resized.observe(this.grid);
    const clock = setInterval(() => this.refresh(), 2000);
    this.endings.push(app.store.subscribe((ids) => this.take(ids)), () => resized.disconnect(), () => clearInterval(clock));
    this.sort();
  }

  get found(): number {
    return this.order.length;
  }

  filter(wish: Wish): void {
    this.wish = wish;
    this.sort();
    this.tellFilter();
    this.grid.scrollTop = 0;
  }

  /** Marks a device and brings its row into sight. */
  choose(id: string | null): void {
    this.chosen = id;
    if (id !== null) this.activate(id, true);
    this.request();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    if (this.again !== null) clearTimeout(this.again);
    for (const end of this.endings) end();
  }

  private head(): HTMLElement {
    const cells = COLUMNS.map((column, at) => {
      const sign = h("span", { class: "list-sign", "aria-hidden": "true" });
      const button = h("button", { type: "button", onclick: () => this.sortBy(column) }, column.title, sign);
      const cell = h("div", { class: `list-head${column.isNumber ? " number" : ""}`, role: "columnheader", "aria-colindex": at + 1 }, button);
      this.heads.set(column, { cell, sign });
      return cell;
    });
    return h("div", { role: "rowgroup", class: "list-top" }, h("div", { role: "row", class: "list-row list-heads", "aria-rowindex": 1 }, ...cells));
  }

  private sortBy(column: Column): void {
    this.direction = column === this.column && this.direction === 1 ? -1 : 1;
    this.column = column;
    this.sort();
    this.grid.scrollTop = 0;
  }

  private sort(): void {
    this.sortedAt = performance.now();
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
    const words = wordsOf(this.wish.search);
    const rows: Row[] = [];
    const all = this.app.store.rows();
    for (const row of all.values()) if (matches(row, this.wish, words)) rows.push(row);
    this.count = all.size;
    this.order = sorted(rows, this.column, this.direction);
    this.held = new Map(rows.map((row) => [row.id, row]));
    for (const [column, { cell, sign }] of this.heads) {
      const isSorted = column === this.column;
      setAttribute(cell, "aria-sort", isSorted ? (this.direction === 1 ? "ascending" : "descending") : "none");
      setText(sign, isSorted ? (this.direction === 1 ? "▲" : "▼") : "");
    }
    setAttribute(this.grid, "aria-rowcount", String(this.order.length + 1));
    this.body.style.height = `${this.order.length * ROW_HEIGHT}px`;
    this.tellEmptiness();
    this.request();
  }

  private take(ids: ReadonlySet<string>): void {
    const { store } = this.app;
    const isFiltered = this.wish.search !== "" || this.wish.looks.size > 0 || this.wish.ids !== null;
    const isOther = store.rows().size !== this.count;
    if (isOther || isFiltered || this.mayReorder(ids)) this.sortSoon(isOther && this.count === 0);
    this.request();
  }

  /** Whether a change may put a row elsewhere. */
  private mayReorder(ids: ReadonlySet<string>): boolean {
    for (const id of ids) {
      const [before, now] = [this.held.get(id), this.app.store.row(id)];
      if (before === undefined || now === undefined || this.column.key(before) !== this.column.key(now)) return true;
    }
    return false;
  }

  private sortSoon(isUrgent: boolean): void {
    const wait = isUrgent ? 0 : Math.max(0, this.sortedAt + PATIENCE - performance.now());
    if (this.again !== null) return;
    this.again = setTimeout(() => {
      this.again = null;
      this.sort();
      this.tellFilter();
    }, wait);
  }

  private tellFilter(): void {
    const isAll = this.wish.search.trim() === "" && this.wish.looks.size === 0 && this.wish.ids === null;
    this.events.filtered(isAll ? null : new Set(this.order.map((row) => row.id)));
  }

  private tellEmptiness(): void {
    this.empty.hidden = this.order.length > 0;
    setText(this.empty, this.count === 0 ? "No devices yet." : "No container is like this. Change the search or the states above.");
  }

  private request(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    this.frame = 0;
    const { scrollTop, clientHeight } = this.grid;
    const first = Math.max(0, Math.floor(scrollTop / ROW_HEIGHT) - BEYOND);
    const last = Math.min(this.order.length, Math.ceil((scrollTop + clientHeight - HEAD_HEIGHT) / ROW_HEIGHT) + BEYOND);
    const wanted = new Map<string, number>();
    for (let at = first; at < last; at += 1) wanted.set(this.order[at]?.id ?? "", at);
    for (const [id, line] of this.lines) {
      if (wanted.has(id)) continue;
      this.lines.delete(id);
      line.element.remove();
      this.spare.push(line);
    }
    for (const [id, at] of wanted) this.drawLine(id, at);
    const active = this.active === null ? undefined : this.lines.get(this.active);
    setAttribute(this.grid, "aria-activedescendant", active?.element.id ?? null);
  }

  private drawLine(id: string, at: number): void {
    const row = this.app.store.row(id);
    if (row === undefined) return;
    let line = this.lines.get(id);
    if (line === undefined) {
      line = this.spare.pop() ?? this.line();
      line.id = id;
      line.shown = null;
      line.at = -1;
      line.element.dataset["testid"] = `row-${id}`;
      this.lines.set(id, line);
      this.body.append(line.element);
    }
    if (line.at !== at) {
      line.at = at;
      line.element.style.transform = `translateY(${at * ROW_HEIGHT}px)`;
      setAttribute(line.element, "aria-rowindex", String(at + 2));
    }
    if (line.shown !== row) {
      line.shown = row;
      for (const cell of line.cells) cell.update(row);
    }
    line.element.classList.toggle("is-active", id === this.active);
    setAttribute(line.element, "aria-selected", id === this.chosen ? "true" : "false");
  }

  private line(): Line {
    const cells = COLUMNS.map((column) => column.cell(this.app));
    const wrapped = cells.map((cell, at) =>
      h("div", { class: `list-cell${COLUMNS[at]?.isNumber ? " number" : ""}`, role: "gridcell", "aria-colindex": at + 1 }, cell.element));
    lineCount += 1;
    const element = h("div", { class: "list-row", role: "row", id: `list-row-${lineCount}` }, ...wrapped);
    return { element, cells, id: "", shown: null, at: -1 };
  }

  /** Times such as "2 min ago" grow old by themselves. */
  private refresh(): void {
    for (const line of this.lines.values()) line.shown = null;
    this.request();
  }

  private press(event: KeyboardEvent): void {
    if (event.target !== this.grid || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = this.order.findIndex(({ id }) => id === this.active);
    const page = Math.max(1, Math.floor((this.grid.clientHeight - HEAD_HEIGHT) / ROW_HEIGHT) - 1);
    const steps: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: this.order.length - 1 };
    const target = steps[event.key];
    if (target !== undefined) {
      this.activate(this.order[Math.max(0, Math.min(this.order.length - 1, target))]?.id ?? null, true);
      event.preventDefault();
    } else if (event.key === "Enter" && this.active !== null) {
      this.events.open(this.active);
      event.preventDefault();
    }
  }

  private activate(id: string | null, isScrolled: boolean): void {
    this.active = id;
    const at = this.order.findIndex((row) => row.id === id);
    if (isScrolled && at >= 0) {
      const [top, bottom] = [at * ROW_HEIGHT, (at + 1) * ROW_HEIGHT];
      const visible = this.grid.clientHeight - HEAD_HEIGHT;
      if (top < this.grid.scrollTop) this.grid.scrollTop = top;
      else if (bottom > this.grid.scrollTop + visible) this.grid.scrollTop = bottom - visible;
    }
    if (document.activeElement === this.grid) this.events.pointed(id);
    this.draw();
  }

  private click(event: MouseEvent): void {
    const id = this.idAt(event);
    // A link opens by itself; a selection of text is none of a wish to leave.
    if (id === null || event.target instanceof HTMLAnchorElement || String(getSelection()) !== "") return;
    this.events.open(id);
  }

  private idAt(event: Event): string | null {
    const element = event.target instanceof Element ? event.target.closest<HTMLElement>(".list-row") : null;
    for (const line of this.lines.values()) if (line.element === element) return line.id;
    return null;
  }
}

let lineCount = 0;
