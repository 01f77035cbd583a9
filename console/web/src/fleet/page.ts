// The fleet: a map and a list of every device, and what one searches them by.

import type { App } from "../app.js";
import { h, setText } from "../dom.js";
import { List } from "../list/list.js";
import type { Wish } from "../list/order.js";
import { FleetMap } from "../map/map.js";
import { history } from "../timebar/history.js";
import { chips } from "./chips.js";
import { happenings } from "./happenings.js";
import { panes } from "./panes.js";

const TYPING_MS = 120;

export function mount(root: HTMLElement, app: App): () => void {
  const { store, format } = app;
  const wish: { -readonly [member in keyof Wish]: Wish[member] } = { search: "", looks: new Set(), ids: null };
  const apply = (): void => {
    list.filter({ ...wish });
    ids.hidden = wish.ids === null;
    tellCount();
  };

  const map = new FleetMap(app, {
    chosen: (id) => list.choose(id),
    listed: (members) => {
      wish.ids = new Set(members);
      apply();
    },
  });
  const list = new List(app, {
    open: (id) => app.navigate(`#/device/${encodeURIComponent(id)}`),
    pointed: (id) => map.point(id),
    filtered: (found) => {
      map.filter(found);
      tellCount();
    },
  });

  const search = h("input", { type: "search", class: "field list-search", placeholder: "Search containers, cargo, places, alarms", "aria-label": "Search the list", "data-testid": "search", spellcheck: "false", autocomplete: "off" });
  const count = h("span", { class: "small muted list-count", role: "status" });
  const ids = h("button", { type: "button", class: "button", hidden: true }, "Show all places");
  ids.addEventListener("click", () => {
    wish.ids = null;
    apply();
  });
  const tellCount = (): void => {
    const all = store.rows().size;
    setText(count, list.found === all ? `${format.number(all)} containers` : `${format.number(list.found)} of ${format.number(all)}`);
  };
  let typing: ReturnType<typeof setTimeout> | undefined;
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      wish.search = search.value;
      apply();
    }, TYPING_MS);
  });

  const events = happenings(app);
  const listPane = h("div", { class: "list-pane" }, h("div", { class: "list-tools" }, search, ids, count), list.element, events.element);
  const { element, switcher } = panes(map.element, listPane);
  const states = chips(app, (looks) => {
    wish.looks = new Set(looks);
    apply();
  });
  const past = history(app);
  const nothing = emptiness(app);
  const bar = h("div", { class: "fleet-bar" }, states.element, h("div", { class: "fleet-tools" }, past.button, switcher));
  root.append(h("div", { class: "fleet" }, h("h1", { class: "visually-hidden" }, "Fleet"), bar, past.bar, element, nothing));

  const update = (): void => {
    const isEmpty = store.rows().size === 0 && store.at === null;
    nothing.hidden = !isEmpty;
    element.hidden = bar.hidden = isEmpty;
    tellCount();
  };
  update();
  const endings = [store.subscribe(update), store.onStatus(update)];
  return () => {
    clearTimeout(typing);
    for (const end of endings) end();
    states.destroy();
    events.destroy();
    past.destroy();
    map.destroy();
    list.destroy();
  };
}

/** What is said while there is no device. */
function emptiness(app: App): HTMLElement {
  const title = h("strong", {});
  const text = h("p", {});
  const update = (): void => {
    const { live, reason } = app.store;
    const isKnown = live === "live";
    setText(title, isKnown ? "No devices yet" : live === "lost" ? "The console does not answer" : "Fetching the fleet…");
    const way = app.session.mode === "hub" ? "or as soon as it is in the hub's registry." : "by this console's own fleet or by any other tracker.";
    setText(text, isKnown ? `A device appears here as soon as it is provisioned, ${way}` : (reason ?? ""));
  };
  app.store.onStatus(update);
  update();
  return h("div", { class: "empty", "data-testid": "empty" }, title, text);
}
