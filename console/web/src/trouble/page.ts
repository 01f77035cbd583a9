// Trouble on purpose, and what the agents do about it.

import type { App } from "../app.js";
import { h } from "../dom.js";
import { card, why } from "../parts/card.js";
import { Life } from "../parts/life.js";
import { reason } from "../parts/reasons.js";
import { faultsPart } from "./faults.js";
import { faultForm } from "./form.js";
import { livePart } from "./live.js";
import { struck, Watch } from "./watch.js";

const REFETCH_MS = 5000;

export function mount(root: HTMLElement, app: App): () => void {
  const life = new Life();
  const unable = reason(app.session, "faults");
  const watch = new Watch();
  const live = livePart(app, life, watch);
  const faults = faultsPart(app, life, unable === null, (all) => {
    watch.strike(all.flatMap(({ devices }) => struck(devices, app.store.rows().keys())));
    live.draw();
  });
  const isThere = unable === null || app.session.readOnly;
  const form = unable === null ? faultForm(app, life, () => void faults.fetch()) : card("Make trouble", {}, why(unable));
  root.append(
    h("div", { class: "page operations-page", "data-testid": "trouble" },
      h("h1", {}, "Trouble on purpose"),
      h("div", { class: "trouble-columns" }, form, h("div", { class: "device-side" }, isThere && faults.element, live.element))),
  );
  if (isThere) {
    void faults.fetch();
    life.add(app.store.onStatus(() => void faults.fetch()));
    life.every(REFETCH_MS, () => void faults.fetch());
  }
  return () => life.end();
}
