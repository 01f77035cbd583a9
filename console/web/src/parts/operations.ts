// What an operator does with devices: each asks first, says what will happen, and does it.

import type { App } from "../app.js";
import { h, type Child } from "../dom.js";
import { labelled } from "./card.js";
import { ask } from "./dialog.js";
import { dig, text } from "./loose.js";
import { said } from "./said.js";

const SHOWN = 8;

/** The devices as a list that is not longer than a dialog. */
export function named(ids: readonly string[]): Child {
  const shown = ids.slice(0, SHOWN).map((id) => h("li", { class: "mono" }, id));
  const rest = ids.length - shown.length;
  return h("ul", { class: "named" }, ...shown, rest > 0 && h("li", { class: "muted" }, `and ${rest} more`));
}

export async function disable(app: App, ids: readonly string[]): Promise<boolean> {
  return each(app, ids, {
    title: ids.length === 1 ? "Disable this device?" : `Disable ${ids.length} devices?`,
    happens: "The hub drops the connection and lets nobody in with this identity until it is enabled. The device goes on measuring and keeps its readings.",
    yes: "Disable", isDangerous: true, done: "disabled",
    act: (id) => app.api.setDevice(id, "disabled"),
  });
}

export async function enable(app: App, ids: readonly string[]): Promise<boolean> {
  return each(app, ids, {
    title: ids.length === 1 ? "Enable this device?" : `Enable ${ids.length} devices?`,
    happens: "The hub lets it in again. It comes back by itself, which may take a while, and sends what it has kept.",
    yes: "Enable", isDangerous: false, done: "enabled",
    act: (id) => app.api.setDevice(id, "enabled"),
  });
}

export async function deprovision(app: App, ids: readonly string[]): Promise<boolean> {
  const happens =
    "The identity at the hub and the registration record are deleted; the connection is dropped. The device goes on measuring and " +
    `keeps its readings. ${returns(app)}`;
  return ask({
    title: ids.length === 1 ? "Deprovision this device?" : `Deprovision ${ids.length} devices?`,
    body: [named(ids), h("p", {}, happens)],
    yes: "Deprovision", isDangerous: true, explain: said,
    act: async () => {
      if (ids.length !== 1) return told(app, await app.api.deprovisionMany([...ids]), ids.length);
      await app.api.deprovision(ids[0] ?? "");
      app.notify(`${count(ids)} deprovisioned.`);
    },
  });
}

/** When a device that was deprovisioned is let in again. */
function returns(app: App): string {
  if (app.session.mode === "simulation") return "It is refused until its enrollment is enabled under Enrollment; then it comes back by itself, when it asks again: some minutes later, as one at sea does.";
  return "An enrollment of its own is disabled. Without one it comes back by itself, as long as its group lets it in.";
}

/** All that there are, which has to be typed: nobody should do this by a slip. */
export async function deprovisionAll(app: App, many: number): Promise<boolean> {
  const word = "deprovision all";
  const typed = h("input", { class: "field", name: "word", autocomplete: "off", spellcheck: "false" });
  return ask({
    title: `Deprovision all ${app.format.number(many)} devices?`,
    body: [
      h("p", {}, "Every identity at every hub and every registration record is deleted, and all connections are dropped. What was received stays here."),
      h("p", {}, returns(app)),
      labelled(`Type “${word}”`, typed),
    ],
    yes: "Deprovision all", isDangerous: true, explain: said,
    act: async (form) => {
      if (String(form.get("word")).trim().toLowerCase() !== word) throw new Error(`Type “${word}” to do it.`);
      told(app, await app.api.deprovisionMany("all"), many);
    },
  });
}

export async function move(app: App, ids: readonly string[]): Promise<boolean> {
  const here = new Set(ids.map((id) => app.store.row(id)?.hub ?? ""));
  const hubs = app.session.hubs.filter((hub) => here.size > 1 || !here.has(hub));
  if (hubs.length === 0) {
    app.notify("There is no other hub to move to.", "error");
    return false;
  }
  const select = h("select", { class: "field", name: "hub" }, ...hubs.map((hub) => h("option", { value: hub }, hub)));
  return ask({
    title: ids.length === 1 ? "Move this device to another hub?" : `Move ${ids.length} devices to another hub?`,
    body: [
      named(ids),
      h("p", {}, "The provisioning service assigns it to that hub; the hub that it is at lets it go. It registers anew, and its twin comes along."),
      labelled("Hub", select),
    ],
    yes: "Move", explain: said,
    act: async (form) => {
      const hub = String(form.get("hub"));
      for (const id of ids) await app.api.move(id, hub);
      app.notify(`${count(ids)} on the way to ${hub}.`);
    },
  });
}

/** How many of them were, and why others were not. */
export function outcome(answer: unknown, asked: number): { done: number; failures: string[] } {
  const failed = dig(answer, "failures");
  const failures = (Array.isArray(failed) ? failed : []).map((one) => `${text(dig(one, "device")) ?? "one"}: ${text(dig(one, "message")) ?? "not said why"}`);
  const done = dig(answer, "count");
  return { done: typeof done === "number" ? done : asked - failures.length, failures };
}

function told(app: App, answer: unknown, asked: number): void {
  const { done, failures } = outcome(answer, asked);
  if (failures.length === 0) return app.notify(`${done} deprovisioned.`);
  const more = failures.length > 3 ? `; and ${failures.length - 3} more` : "";
  app.notify(`${done} deprovisioned, ${failures.length} not: ${failures.slice(0, 3).join("; ")}${more}`, "error");
}

interface Each {
  title: string;
  happens: string;
  yes: string;
  done: string;
  isDangerous: boolean;
  act(id: string): Promise<unknown>;
}

function each(app: App, ids: readonly string[], { title, happens, yes, done, isDangerous, act }: Each): Promise<boolean> {
  return ask({
    title, yes, isDangerous, explain: said,
    body: [named(ids), h("p", {}, happens)],
    act: async () => {
      for (const id of ids) await act(id);
      app.notify(`${count(ids)} ${done}.`);
    },
  });
}

function count(ids: readonly string[]): string {
  return ids.length === 1 ? (ids[0] ?? "") : `${ids.length} devices`;
}
