// What can be asked of the device: direct methods, the agent's own ones offered, and messages from the cloud.

import type { App } from "../app.js";
import type { Json } from "../api-types.js";
import { h, setText } from "../dom.js";
import { card, labelled, why } from "../parts/card.js";
import type { Life } from "../parts/life.js";
import { reason } from "../parts/reasons.js";
import { said } from "../parts/said.js";

const METHODS: readonly { name: string; about: string; payload: string }[] = [
  { name: "ping", about: "gives the payload back", payload: '"hello"' },
  { name: "getStatus", about: "how the device is: time, hub, journal, sensors, places, alarms", payload: "" },
  { name: "getTripReport", about: "the report of the trip under way, so far", payload: "" },
  { name: "startTrip", about: "a trip begins", payload: '{\n  "trip": "MSKU-7",\n  "bounds": { "temperature": { "low": 2, "high": 8 } }\n}' },
  { name: "endTrip", about: "the trip under way ends; its report is sent and signed", payload: "" },
  { name: "acknowledgeAlarm", about: "somebody knows of an alarm", payload: '{ "alarm": "temperature" }' },
];
const KEPT = 5;

export function commands(app: App, id: string, life: Life): HTMLElement[] {
  return [methods(app, id, life), messages(app, id, life)];
}

function methods(app: App, id: string, life: Life): HTMLElement {
  const unable = reason(app.session, "methods");
  if (unable !== null) return card("Direct methods", {}, why(unable));
  const names = h("datalist", { id: "method-names" }, ...METHODS.map((method) => h("option", { value: method.name }, method.about)));
  const name = h("input", { class: "field", id: "method-name", list: "method-names", value: "getStatus", autocomplete: "off", spellcheck: "false", maxlength: 128, "data-testid": "method-name" });
  const payload = h("textarea", { class: "field mono", rows: 4, spellcheck: "false", placeholder: "nothing (null)", "data-testid": "method-payload" });
  const timeout = h("input", { class: "field", type: "number", min: 5, max: 300, step: 1, value: 30 });
  const about = h("p", { class: "muted small", role: "status" });
  const fault = h("p", { class: "field-error", role: "alert", hidden: true });
  const call = h("button", { type: "submit", class: "button button-primary", "data-testid": "method-call" }, "Call");
  const answers = h("ol", { class: "answers", "data-testid": "method-answers", "aria-label": "Answers, the newest first", "aria-live": "polite" });

  let offered = "";
  const offer = (): void => {
    const known = METHODS.find((method) => method.name === name.value.trim());
    setText(about, known === undefined ? "A method of your own." : `${known.name}: ${known.about}.`);
    // Only what was put there by us is replaced.
    if (known !== undefined && (payload.value === offered || payload.value.trim() === "")) {
      offered = known.payload;
      payload.value = known.payload;
    }
  };
  name.addEventListener("input", offer);
  const chips = METHODS.map((method) =>
    h("button", { type: "button", class: "choice", title: method.about, onclick: () => { name.value = method.name; payload.value = method.payload; offered = method.payload; offer(); call.focus(); } }, method.name));
  offer();

  const form = h("form", { class: "form" },
    h("div", { class: "choices", role: "group", "aria-label": "The agent's methods" }, ...chips),
    h("div", { class: "row row-fields" }, labelled("Method", name), labelled("Timeout, s", timeout)),
    labelled("Payload (JSON)", payload), about, fault, h("div", { class: "row" }, call), names, answers);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });

  async function send(): Promise<void> {
    fault.hidden = true;
    const parsed = json(payload.value);
    if ("error" in parsed) return refuse(parsed.error);
    const wanted = name.value.trim();
    if (wanted === "") return refuse("Say which method.");
    const seconds = Number(timeout.value);
    if (!(seconds >= 5 && seconds <= 300)) return refuse("Timeout: a hub takes 5 to 300 seconds.");
    call.disabled = true;
    setText(call, "Waiting…");
    const begun = performance.now();
    try {
      const answer = await app.api.method(id, wanted, parsed.value, seconds);
      tell(wanted, `${answer.status}`, answer.status < 300, JSON.stringify(answer.payload, null, 2), begun);
    } catch (error) {
      tell(wanted, "no answer", false, said(error), begun);
    }
    call.disabled = false;
    setText(call, "Call");
  }

  function refuse(text: string): void {
    setText(fault, text);
    fault.hidden = false;
  }

  function tell(wanted: string, status: string, isGood: boolean, text: string, begun: number): void {
    if (life.isOver) return;
    const took = app.format.quantity((performance.now() - begun) / 1000, "s", 1);
    const head = h("div", { class: "answer-head" }, h("span", { class: `answer answer-${isGood ? "accepted" : "refused"}` }, `${isGood ? "✓" : "✕"} ${status}`), h("span", { class: "mono" }, wanted), h("span", { class: "muted small" }, took));
    answers.prepend(h("li", {}, head, h("pre", { class: "mono answer-body", tabindex: 0 }, text)));
    while (answers.children.length > KEPT) answers.lastElementChild?.remove();
  }

  return card("Direct methods", { testid: "methods" }, form);
}

function messages(app: App, id: string, life: Life): HTMLElement {
  const unable = reason(app.session, "messages");
  if (unable !== null) return card("Message to the device", {}, why(unable));
  const body = h("textarea", { class: "field mono", rows: 3, "data-testid": "message-body" });
  const properties = h("textarea", { class: "field mono", rows: 2, placeholder: "urgency=high", spellcheck: "false" });
  const send = h("button", { type: "submit", class: "button", "data-testid": "message-send" }, "Send");
  const told = h("p", { class: "small", role: "status" });
  const form = h("form", { class: "form" },
    why("The tracker itself takes no messages: what is sent waits in its queue at the hub until it expires. Other devices may take them."),
    labelled("Text", body), labelled("Application properties, one name=value a line", properties), told, h("div", { class: "row" }, send));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const read = pairs(properties.value);
    if ("error" in read) return setText(told, read.error);
    send.disabled = true;
    app.api.message(id, body.value, read.value).then(
      () => setText(told, "It waits in the device's queue at the hub."),
      (error: unknown) => setText(told, `It was not sent: ${said(error)}`),
    ).finally(() => {
      if (!life.isOver) send.disabled = false;
    });
  });
  return card("Message to the device", { testid: "messages" }, form);
}

function json(text: string): { value: Json } | { error: string } {
  if (text.trim() === "") return { value: null };
  try {
    return { value: JSON.parse(text) as Json };
  } catch {
    return { error: "The payload is no JSON. A text stands in quotes; nothing at all is an empty field." };
  }
}

/** Lines of name=value. */
export function pairs(text: string): { value: Record<string, string> } | { error: string } {
  const value: [string, string][] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const at = line.indexOf("=");
    if (at < 1) return { error: `“${line.trim()}” is no property: write name=value.` };
    value.push([line.slice(0, at).trim(), line.slice(at + 1).trim()]);
  }
  return { value: Object.fromEntries(value) };
}
