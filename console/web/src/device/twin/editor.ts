// The device twin: desired properties as JSON, edited in place and saved as a merge patch, and the device's answers.

import type { App } from "../../app.js";
import type { JsonObject, Twin } from "../../api-types.js";
import { h, setAttribute, setText } from "../../dom.js";
import { card, fill, why } from "../../parts/card.js";
import type { Life } from "../../parts/life.js";
import { reason } from "../../parts/reasons.js";
import { isConflict, said } from "../../parts/said.js";
import type { HeldTwin } from "../held.js";
import { desired } from "./answers.js";
import { checked } from "./check.js";
import { KNOWN } from "./known.js";
import { described, diff, merged } from "./patch.js";
import { answers } from "./table.js";

export function twinPart(app: App, id: string, held: HeldTwin, life: Life): HTMLElement {
  const state = h("p", { class: "muted", role: "status" }, "The twin is being fetched…");
  const answered = h("div", { class: "twin-answers" });
  const tags = h("div", { class: "twin-tags" });
  const unable = reason(app.session, "twin");
  const editor = unable === null ? new Editor(app, id, held) : null;
  const version = h("span", { class: "muted small" });

  const update = (): void => {
    const { twin, fault } = held;
    state.hidden = twin !== null && fault === null;
    if (fault !== null) setText(state, `The twin can't be fetched: ${fault}`);
    if (twin === null) return;
    const revision = twin.properties.desired["$version"];
    setText(version, typeof revision === "number" ? `desired version ${app.format.number(revision)}` : "");
    fill(answered, answers(app, twin, app.store.row(id)));
    fill(tags, tagList(twin));
    editor?.take(twin);
  };
  held.onChange(update);
  life.add(app.store.subscribe((changed) => changed.has(id) && held.twin !== null && fill(answered, answers(app, held.twin, app.store.row(id)))));
  update();
  return card("Twin", { class: "twin", beside: [version], testid: "twin" }, state, h("div", { class: "twin-columns" }, h("div", {}, answered, tags), editor?.element ?? why(unable ?? "")));
}

/** What was edited and not saved, by device: whoever looks elsewhere meanwhile finds it again. */
const drafts = new Map<string, { base: Twin; text: string }>();

class Editor {
  readonly element: HTMLElement;
  private readonly area = h("textarea", { class: "field mono twin-area", id: "twin-desired", rows: 14, spellcheck: "false", autocapitalize: "off", autocomplete: "off", "aria-describedby": "twin-fault twin-news", "data-testid": "twin-desired" });
  private readonly fault = h("p", { class: "field-error", id: "twin-fault", role: "alert" });
  private readonly news = h("p", { class: "muted small", id: "twin-news", role: "status" });
  private readonly save = h("button", { type: "button", class: "button button-primary", "data-testid": "twin-save", onclick: () => void this.send() }, "Save");
  private readonly undo = h("button", { type: "button", class: "button", onclick: () => this.revert() }, "Undo changes");
  /** The twin whose desired properties are being edited. */
  private base: Twin | null = null;

  constructor(private readonly app: App, private readonly id: string, private readonly held: HeldTwin) {
    const known = h("select", { class: "field", "aria-label": "Put in a property" }, h("option", { value: "" }, "Put in…"), ...KNOWN.map(({ name, about }) => h("option", { value: name }, `${name}: ${about}`)));
    known.addEventListener("change", () => {
      this.put(known.value);
      known.value = "";
    });
    this.area.addEventListener("input", () => this.judge());
    this.area.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && (event.key === "s" || event.key === "Enter")) {
        event.preventDefault();
        void this.send();
      }
    });
    this.element = h(
      "div",
      { class: "twin-editor" },
      h("label", { class: "label", for: "twin-desired" }, "Desired properties (JSON)"),
      this.area, this.fault, this.news,
      h("div", { class: "row" }, this.save, this.undo, known),
    );
  }

  /** A newer twin: what was not edited follows it, what was edited is put on top of it. */
  take(twin: Twin): void {
    const draft = this.base === null ? drafts.get(this.id) : undefined;
    if (draft !== undefined) {
      this.base = draft.base;
      this.area.value = draft.text;
      this.app.notify("Your changes of the twin, not saved yet, are there again.");
    }
    const patch = this.patch();
    const isClean = this.base === null || (patch !== null && Object.keys(patch).length === 0);
    if (isClean) {
      this.base = twin;
      const text = written(desired(twin));
      if (this.area.value !== text) this.area.value = text;
    }
    this.judge();
  }

  /** What was edited; null where the text is no twin. */
  private patch(): JsonObject | null {
    if (this.base === null) return null;
    const found = checked(this.area.value);
    return "error" in found ? null : diff(desired(this.base), found.value);
  }

  private judge(): void {
    const found = checked(this.area.value);
    const fault = "error" in found ? found.error : "";
    setText(this.fault, fault);
    this.fault.hidden = fault === "";
    setAttribute(this.area, "aria-invalid", fault === "" ? null : "true");
    const patch = this.patch();
    const lines = patch === null || this.base === null ? [] : described(desired(this.base), patch);
    setText(this.news, lines.length === 0 ? "" : `To be saved: ${lines.slice(0, 6).join("; ")}${lines.length > 6 ? "; …" : ""}.`);
    this.save.disabled = lines.length === 0;
    this.undo.disabled = this.base === null || this.area.value === written(desired(this.base));
    if (this.base === null || this.undo.disabled) drafts.delete(this.id);
    else drafts.set(this.id, { base: this.base, text: this.area.value });
  }

  private async send(): Promise<void> {
    const patch = this.patch();
    const base = this.base;
    if (patch === null || base === null || Object.keys(patch).length === 0) return;
    this.save.disabled = true;
    try {
      this.base = null;
      drafts.delete(this.id);
      await this.held.save(patch, base.etag);
      this.app.notify("Saved. The device's answer stands beside each property.");
    } catch (error) {
      this.base = base;
      if (isConflict(error)) await this.rebase(patch);
      else {
        this.judge();
        setText(this.fault, said(error));
        this.fault.hidden = false;
      }
    }
  }

  /** Somebody else has changed the twin: the same changes on top of the newest one, to be looked at and saved again. */
  private async rebase(patch: JsonObject): Promise<void> {
    await this.held.fetch();
    const newest = this.held.twin;
    if (newest === null) return;
    this.base = newest;
    this.area.value = written(merged(desired(newest), patch));
    this.judge();
    setText(this.fault, "Somebody has changed the twin meanwhile. Your changes are put on top of the newest one: look at them, and save again.");
    this.fault.hidden = false;
    this.save.focus();
  }

  private revert(): void {
    if (this.base === null) return;
    this.area.value = written(desired(this.base));
    this.judge();
    this.area.focus();
  }

  private put(name: string): void {
    const found = checked(this.area.value);
    const known = KNOWN.find((candidate) => candidate.name === name);
    if (known === undefined) return;
    if ("error" in found) return this.app.notify("Mend the JSON first; then a property can be put in.", "error");
    if (!Object.hasOwn(found.value, name)) this.area.value = written({ ...found.value, [name]: known.example });
    const at = this.area.value.indexOf(`"${name}"`);
    this.area.focus();
    this.area.setSelectionRange(at, at + name.length + 2);
    this.judge();
  }
}

function tagList(twin: Twin): HTMLElement | null {
  const tags = twin["tags"];
  if (typeof tags !== "object" || tags === null || Object.keys(tags).length === 0) return null;
  return h("details", {}, h("summary", {}, "Tags"), h("pre", { class: "mono" }, written(tags as JsonObject)));
}

function written(value: JsonObject): string {
  return JSON.stringify(value, null, 2);
}
