// The page's start: asks the server what it is, follows the fleet, and shows the page that the address names.

import { Api, ApiError } from "./api.js";
import type { App } from "./app.js";
import { h } from "./dom.js";
import { Format } from "./format.js";
import { find } from "./routes.js";
import { header } from "./shell/header.js";
import { notifier } from "./shell/notify.js";
import { Store } from "./store.js";
import { speedBar } from "./timebar/speed.js";

async function start(root: HTMLElement): Promise<void> {
  const api = new Api();
  const session = await api.session();
  const store = new Store(api, session);
  const notes = notifier();
  const app: App = {
    api,
    store,
    format: new Format(),
    get session() {
      return store.session;
    },
    navigate: (hash) => {
      location.hash = hash;
    },
    notify: notes.notify,
  };
  const top = header(app, speedBar(app));
  const main = h("main", { class: "main", id: "main", tabindex: -1 });
  const skip = h("a", { class: "skip button", href: "#main" }, "Skip to the content");
  skip.addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  root.replaceChildren(skip, top.element, main, notes.element);
  follow(app, main, (hash) => top.show(hash));
  window.addEventListener("unhandledrejection", ({ reason }) => {
    if (reason instanceof ApiError) app.notify(reason.message, "error");
  });
  store.start();
}

/** Shows the page of the address now and whenever it changes. */
function follow(app: App, main: HTMLElement, shown: (hash: string) => void): void {
  let unmount: (() => void) | null = null;
  const show = (): void => {
    const isFirst = unmount === null;
    unmount?.();
    main.replaceChildren();
    const found = find(location.hash);
    if (found === null) {
      main.append(nowhere());
      unmount = () => undefined;
    } else {
      unmount = found.route.mount(main, app, found.parameters);
    }
    const title = found?.route.title(found.parameters) ?? "Not found";
    document.title = `${title} · ${app.session.title}`;
    shown(location.hash);
    if (!isFirst) main.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  };
  window.addEventListener("hashchange", show);
  show();
}

function nowhere(): HTMLElement {
  return h("div", { class: "empty" }, h("strong", {}, "There is no such page."), h("a", { href: "#/" }, "Go to the fleet"));
}

function failed(root: HTMLElement, error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  const again = h("button", { class: "button", type: "button", onclick: () => location.reload() }, "Try again");
  root.replaceChildren(h("div", { class: "empty", role: "alert" }, h("strong", {}, "The console cannot be shown."), h("p", {}, text), again));
}

const root = document.getElementById("app");
if (root !== null) start(root).catch((error: unknown) => failed(root, error));
