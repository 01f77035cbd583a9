// What the agents do about it, as it happens: state, backlog over time, reconnects.

import type { App } from "../app.js";
import type { Row } from "../api-types.js";
import { h, setAttribute, setText, svg } from "../dom.js";
import { card } from "../parts/card.js";
import { throttled, type Life } from "../parts/life.js";
import { LOOK_NAMES, look, mark } from "../states.js";
import { latest, spark, type Watch, type Watched } from "./watch.js";

const SHOWN = 60;
const SAMPLE_MS = 1000;
const WIDTH = 120;
const HEIGHT = 22;

interface Line {
  row: HTMLTableRowElement;
  update(watched: Watched, row: Row | undefined, news: string): void;
}

export function livePart(app: App, life: Life, watch: Watch): { element: HTMLElement; draw(): void } {
  const lines = new Map<string, Line>();
  const body = h("tbody", {});
  const none = h("p", { class: "muted" }, "Nobody is struck, and no backlog is larger than usual. Start something, and look at what the agents do.");
  const told = h("p", { class: "muted small" });
  const heads = ["Device", "What it does"].map((text) => h("th", { scope: "col" }, text));
  const numbers = ["In the journal", "Reconnects"].map((text) => h("th", { scope: "col", class: "number" }, text));
  const scrolled = h("div", { class: "scrolled", tabindex: 0, role: "region", "aria-label": "Agents under trouble" },
    h("table", { class: "table", "data-testid": "trouble-live" }, h("thead", {}, h("tr", {}, ...heads, numbers[0], h("th", { scope: "col" }, "Over two minutes"), numbers[1])), body));

  function draw(): void {
    const all = watch.list();
    const shown = all.slice(0, SHOWN);
    const news = latest(app.store.entries);
    for (const watched of shown) {
      let line = lines.get(watched.id);
      if (line === undefined) lines.set(watched.id, (line = makeLine(app, watched.id)));
      line.update(watched, app.store.row(watched.id), news.get(watched.id)?.text ?? "");
    }
    const rows = shown.map((watched) => lines.get(watched.id)?.row).filter((row) => row !== undefined);
    // Rows are moved only where their order has changed, so that whoever stands on one keeps it.
    if (rows.length !== body.children.length || rows.some((row, index) => body.children[index] !== row)) body.replaceChildren(...rows);
    none.hidden = all.length > 0;
    scrolled.hidden = all.length === 0;
    setText(told, all.length > SHOWN ? `The first ${SHOWN} of ${app.format.number(all.length)}.` : "");
  }

  watch.rows(app.store.rows().values());
  const soon = throttled(life, 400, draw);
  life.add(app.store.subscribe((changed) => {
    watch.rows([...changed].map((id) => app.store.row(id)).filter((row) => row !== undefined));
    watch.forget([...changed].filter((id) => app.store.row(id) === undefined));
    soon();
  }));
  life.every(SAMPLE_MS, () => {
    watch.sample(app.store.rows().values());
    draw();
  });
  draw();
  return { element: card("What the agents do", { testid: "trouble-agents" }, none, scrolled, told), draw };
}

function makeLine(app: App, id: string): Line {
  const state = h("span", { class: "row row-tight" });
  const connection = h("span", {});
  const backlog = h("td", { class: "number", "data-testid": `trouble-backlog-${id}` });
  const reconnects = h("td", { class: "number" });
  const path = svg("path", { class: "backlog-line" });
  const most = h("span", { class: "muted small" });
  const news = h("span", { class: "muted small news" });
  const drawing = svg("svg", { class: "backlog", viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, role: "img" }, path);
  const row = h("tr", {}, h("th", { scope: "row", class: "row-head" }, h("a", { href: `#/device/${encodeURIComponent(id)}` }, id)), h("td", { class: "doing" }, h("span", { class: "doing-line" }, state, connection), news), backlog, h("td", {}, h("span", { class: "row row-tight" }, drawing, most)), reconnects);
  let shown = "";
  return {
    row,
    update(watched, device, text) {
      const name = device === undefined ? null : look(device);
      const key = `${name} ${watched.isStruck}`;
      if (key !== shown) {
        shown = key;
        state.replaceChildren(...(name === null ? ["gone"] : [mark(name), `${LOOK_NAMES[name]}${watched.isStruck && name !== "outage" ? ", struck" : ""}`]));
      }
      setText(connection, device === undefined ? "–" : device.connection === "connected" ? "connected" : "not connected");
      setText(backlog, app.format.number(device?.backlog));
      setText(reconnects, app.format.number(watched.reconnects));
      setText(news, text);
      setAttribute(path, "d", spark(watched.backlogs, WIDTH, HEIGHT));
      const highest = Math.max(0, ...watched.backlogs.filter((value) => value !== null));
      setText(most, `most ${app.format.number(highest)}`);
      setAttribute(drawing, "aria-label", `Backlog of the last two minutes, at most ${app.format.number(highest)}`);
    },
  };
}
