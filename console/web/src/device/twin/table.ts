// Every desired property beside what the device has answered to it.

import type { App } from "../../app.js";
import type { Json, Row, Twin } from "../../api-types.js";
import { h } from "../../dom.js";
import { table, tr } from "../../parts/card.js";
import { answer, desired, names, type Answer, type AnswerState } from "./answers.js";

const WORDS: Record<AnswerState, string> = {
  pending: "Pending",
  accepted: "Applied",
  later: "Accepted, not yet in force",
  refused: "Refused",
  default: "By default",
  none: "No answer",
};

const MARKS: Record<AnswerState, string> = { pending: "…", accepted: "✓", later: "◔", refused: "✕", default: "·", none: "·" };

export function answers(app: App, twin: Twin, row: Row | undefined): HTMLElement {
  const wanted = desired(twin);
  const rows = names(twin).map((name) => {
    const told = answer(twin, name);
    const wish = Object.hasOwn(wanted, name) ? value(wanted[name] ?? null) : h("span", { class: "muted" }, "not set");
    return tr(h("span", { class: "mono" }, name), wish, cell(app, name, told, row));
  });
  if (rows.length === 0) return h("p", { class: "muted" }, "No desired property is set.");
  return table("Desired properties and the device's answers", ["Property", "Desired", "The device's answer"], rows);
}

function cell(app: App, name: string, told: Answer, row: Row | undefined): HTMLElement {
  const code = told.code === null ? "" : ` ${told.code}`;
  const version = told.version === null || told.version === 0 ? "" : `, to version ${app.format.number(told.version)}`;
  const parts = [
    h("span", { class: `answer answer-${told.state}` }, h("span", { "aria-hidden": "true" }, `${MARKS[told.state]} `), WORDS[told.state], h("span", { class: "muted" }, told.state === "pending" ? "" : `${code}${version}`)),
  ];
  if (told.state === "pending") parts.push(h("span", { class: "answer-text" }, waiting(row)));
  else if (told.text !== "") parts.push(h("span", { class: "answer-text" }, told.text));
  if (told.inForce !== undefined && told.state !== "pending") parts.push(h("span", { class: "answer-text" }, "In force: ", value(told.inForce)));
  return h("div", { class: "answer-cell", "data-testid": `twin-answer-${name}`, "data-state": told.state, "data-code": told.code }, ...parts);
}

function waiting(row: Row | undefined): string {
  if (row === undefined || row.connection === "connected") return "The device has not answered yet.";
  return "The device is not connected; it answers when it is back.";
}

function value(json: Json): HTMLElement {
  const text = JSON.stringify(json);
  if (text.length <= 48) return h("code", { class: "mono value" }, text);
  return h("details", { class: "value" }, h("summary", { class: "mono" }, `${text.slice(0, 44)}…`), h("pre", { class: "mono" }, JSON.stringify(json, null, 2)));
}
