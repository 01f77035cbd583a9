// The header: what is looked at, where else one can go, and whether what is seen is live.

import type { App } from "../app.js";
import { h, setAttribute, setText } from "../dom.js";

const PAGES = [
  { hash: "#/", name: "Fleet", isOffered: () => true },
  { hash: "#/enrollment", name: "Enrollment", isOffered: (app: App) => app.session.can.enrollments },
  { hash: "#/trouble", name: "Trouble", isOffered: (app: App) => app.session.can.faults },
];

const LIVE = {
  live: "Live",
  behind: "Catching up…",
  lost: "Not live: the console does not answer",
};

export interface Header {
  element: HTMLElement;
  /** Marks the page that is shown. */
  show(hash: string): void;
}

export function header(app: App, ...tools: Node[]): Header {
  const links = PAGES.filter((page) => page.isOffered(app)).map((page) => h("a", { href: page.hash }, page.name));
  const live = h("span", { class: "live", role: "status", "data-testid": "live-state" });
  const history = h("span", { class: "pill pill-alarm-warning", role: "status", hidden: true, "data-testid": "history-trouble" });
  const brand = h("span", { class: "brand", title: `container-tracker ${app.session.version}` }, app.session.title);
  const element = h(
    "header",
    { class: "header" },
    brand,
    h("nav", { class: "nav", "aria-label": "Pages" }, ...links),
    app.session.readOnly && h("span", { class: "pill" }, "Read only"),
    history,
    h("div", { class: "header-end" }, ...tools, live),
  );

  const update = (): void => {
    const { reason, at } = app.store;
    const away = app.session.away ?? null;
    const state = app.store.live === "live" && away !== null ? "lost" : app.store.live;
    const why = app.store.live === "lost" ? reason : away;
    const trouble = app.session.historyTrouble ?? null;
    history.hidden = trouble === null;
    setText(history, trouble === null ? "" : `The history is not kept: ${trouble}`);
    setAttribute(live, "data-live", state);
    setText(live, state === "lost" && why !== null ? `Not live: ${why}` : at !== null && state === "live" ? "Showing the past" : LIVE[state]);
  };
  app.store.onStatus(update);
  update();

  return {
    element,
    show(hash) {
      for (const link of links) {
        const target = link.getAttribute("href") ?? "";
        const isHere = target === "#/" ? !hash.startsWith("#/enrollment") && !hash.startsWith("#/trouble") : hash.startsWith(target);
        setAttribute(link, "aria-current", isHere ? "page" : null);
      }
    },
  };
}
