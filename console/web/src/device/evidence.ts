// Whether the record that the console has is the one that the device made: the tamper check, and the record to take away.

import type { App } from "../app.js";
import type { Verdict } from "../api-types.js";
import { h, setText } from "../dom.js";
import { card, why } from "../parts/card.js";
import type { Life } from "../parts/life.js";
import { reason } from "../parts/reasons.js";
import { said } from "../parts/said.js";

export const VERDICTS: Record<Verdict["verdict"], { mark: string; text: string; tone: string }> = {
  untouched: { mark: "✓", text: "Untouched: all of it fits, and the device has signed.", tone: "accepted" },
  changed: { mark: "✕", text: "Changed: something does not fit.", tone: "refused" },
  unsigned: { mark: "○", text: "Unsigned: all of it fits, but no signature covers it yet.", tone: "later" },
  noEvidence: { mark: "–", text: "No evidence: the device does not chain its readings (desired property evidence).", tone: "default" },
};

/** A verdict and what the check has said. */
export function verdictShown(verdict: Verdict): HTMLElement[] {
  const { mark, text, tone } = VERDICTS[verdict.verdict] ?? { mark: "?", text: verdict.verdict, tone: "default" };
  const lines = verdict.lines.map((line) => {
    const { said, json } = parted(line);
    return h("li", {}, said, json !== null && h("details", { class: "no-print" }, h("summary", {}, "Report"), h("pre", { class: "mono" }, json)));
  });
  return [h("p", { class: `verdict answer answer-${tone}`, "data-testid": "verdict" }, h("span", { "aria-hidden": "true" }, `${mark} `), text), h("ul", { class: "verdict-lines small" }, ...lines)];
}

/** A line of the check without the report that it may quote, which is named instead. */
export function parted(line: string): { said: string; json: string | null } {
  const [begin, end] = [line.indexOf("{"), line.lastIndexOf("}")];
  if (begin < 0 || end < begin) return { said: line, json: null };
  try {
    const report = JSON.parse(line.slice(begin, end + 1)) as { trip?: unknown };
    const name = typeof report.trip === "string" && report.trip !== "" ? `“${report.trip}”` : "without a name";
    return { said: `${line.slice(0, begin)}${name}${line.slice(end + 1)}`, json: JSON.stringify(report, null, 2) };
  } catch {
    return { said: line, json: null };
  }
}

export function evidencePart(app: App, id: string, life: Life, span: () => { from: string; to: string } | null): HTMLElement {
  return card("Record", { testid: "record" }, check(app, id, life), downloads(app, id, span));
}

function check(app: App, id: string, life: Life): HTMLElement {
  const unable = reason(app.session, "verify");
  if (unable !== null) return why(unable);
  const told = h("div", { role: "status" });
  const button = h("button", { type: "button", class: "button", "data-testid": "verify" }, "Check for tampering");
  button.addEventListener("click", () => {
    button.disabled = true;
    setText(button, "Checking…");
    app.api.verify(id).then(
      (verdict) => !life.isOver && told.replaceChildren(...verdictShown(verdict)),
      (error: unknown) => !life.isOver && told.replaceChildren(h("p", { class: "field-error" }, `The check could not be made: ${said(error)}`)),
    ).finally(() => {
      button.disabled = false;
      setText(button, "Check for tampering");
    });
  });
  return h("div", { class: "stack" }, h("div", { class: "row" }, button), told);
}

/** Links whose span is that of the charts at the moment of the click. */
function downloads(app: App, id: string, span: () => { from: string; to: string } | null): HTMLElement {
  const range = h("select", { class: "field", "aria-label": "Which readings" }, h("option", { value: "view" }, "The time in the charts"), h("option", { value: "all" }, "The whole voyage"));
  const link = (kind: "csv" | "jsonl", text: string): HTMLAnchorElement => {
    const anchor = h("a", { class: "button", href: app.api.exportUrl(id, kind), download: "", "data-testid": `export-${kind}` }, text);
    anchor.addEventListener("click", () => {
      anchor.href = app.api.exportUrl(id, kind, (range.value === "view" ? span() : null) ?? {});
    });
    return anchor;
  };
  return h("div", { class: "row" }, h("span", { class: "label" }, "Download"), range, link("csv", "CSV"), link("jsonl", "JSON lines"));
}
