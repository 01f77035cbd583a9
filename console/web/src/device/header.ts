// One container at a glance: what it is, how it does, where it is, and its alarms.

import type { App } from "../app.js";
import type { Alarm, Device, Row } from "../api-types.js";
import { h, setText, type Child } from "../dom.js";
import { fill, hubName, labelled } from "../parts/card.js";
import { ask } from "../parts/dialog.js";
import { deprovision, disable, enable, move } from "../parts/operations.js";
import { reason } from "../parts/reasons.js";
import { said } from "../parts/said.js";
import { LOOK_NAMES, look, mark } from "../states.js";
import { alarmName } from "../voyage/words.js";

export interface Header {
  element: HTMLElement;
  update(row: Row, device: Device | null): void;
  /** Lengths of time go on while nothing happens. */
  tick(): void;
  gone(): void;
}

/** Who acknowledged last: most likely the same person does it next. */
let lastName = "";

export function header(app: App, id: string): Header {
  const title = h("h1", { class: "device-title", "data-testid": "device-title" }, id);
  const state = h("span", { class: "device-state", "data-testid": "device-state" });
  const facts = h("dl", { class: "facts" });
  const alarms = h("ul", { class: "alarms", "aria-label": "Alarms", "aria-live": "polite" });
  const banner = h("p", { class: "banner", role: "status", hidden: true });
  const actions = h("div", { class: "row device-actions" });
  const subtitle = h("p", { class: "muted device-subtitle" });
  const element = h(
    "header",
    { class: "card device-head" },
    h("a", { class: "back small", href: "#/" }, "← Fleet"),
    h("div", { class: "device-line" }, title, state, actions),
    subtitle, banner, alarms, facts,
  );
  let current: Row | null = null;
  let detail: Device | null = null;
  let shownActions = "";

  const times = (): void => {
    if (current !== null) renew(facts, factsOf(app, current, detail));
  };

  return {
    element,
    update(row, device) {
      current = row;
      detail = device;
      const name = look(row);
      fill(state, h("span", { class: `pill pill-look pill-${name}` }, mark(name), LOOK_NAMES[name]));
      const subject = [row.cargo, row.container === null ? null : app.format.container(row.container), row.profile === null ? null : profile(app, row)].filter(Boolean).join(" · ");
      setText(subtitle, subject);
      subtitle.hidden = subject === "";
      banner.hidden = row.refusal === null;
      if (row.refusal !== null) setText(banner, `Refused: ${row.refusal}`);
      updateAlarms(app, id, alarms, row.alarms);
      times();
      const isDisabled = row.state === "disabled";
      if (shownActions !== String(isDisabled)) {
        shownActions = String(isDisabled);
        fill(actions, ...buttons(app, id, isDisabled));
      }
    },
    tick: times,
    gone() {
      setText(banner, "This device is not there any more: it was deleted, here or elsewhere. What was received of it is still shown.");
      banner.hidden = false;
      shownActions = "";
      fill(actions);
    },
  };
}

/** Touches only what differs: nobody's selection is taken away every second. */
function renew(list: HTMLElement, facts: [string, ...Child[]][]): void {
  const names = facts.map(([name]) => name).join();
  if (list.dataset["names"] !== names) {
    list.dataset["names"] = names;
    fill(list, ...facts.map(([name]) => h("div", { class: "fact" }, h("dt", {}, name), h("dd", {}))));
  }
  for (const [index, [, ...value]] of facts.entries()) {
    const shown = list.children[index]?.querySelector("dd");
    const fresh = h("dd", {}, ...value);
    if (shown && shown.textContent !== fresh.textContent) shown.replaceChildren(...fresh.childNodes);
  }
}

function profile(app: App, row: Row): string {
  const { name, low, high } = row.profile ?? { name: "", low: null, high: null };
  const { temperature } = app.format;
  if (low !== null && high !== null) return `${name}: ${app.format.number(low, 1)} to ${temperature(high)}`;
  if (high !== null) return `${name}: up to ${temperature(high)}`;
  return low === null ? name : `${name}: from ${temperature(low)}`;
}

function factsOf(app: App, row: Row, device: Device | null): [string, ...Child[]][] {
  const { format, store } = app;
  const ago = (time: string | null): Child => h("time", { datetime: time, title: format.both(time) }, format.ago(time, store.now()));
  const where = row.at === null ? "no position" : format.position(row.at, 3);
  const all: [string, ...Child[]][] = [
    ["Temperature", h("strong", {}, format.temperature(row.temperature))],
    ["Humidity", format.humidity(row.humidity)],
    ["Place", row.place === null ? where : `${row.place} (${where})`],
    ["Speed", row.speed === null ? format.speed(null) : `${format.speed(row.speed)}${row.course === null ? "" : `, ${format.number(row.course)}°`}`],
    ["Last seen", ago(row.lastSeen)],
    ["Newest reading", ago(row.lastReading)],
    ["In the journal", row.backlog === null ? format.number(null) : `${format.number(row.backlog)} waiting`],
    ["Connection", CONNECTIONS[row.connection], ...(row.hub ? [", ", hubName(row.hub)] : [])],
    ["Firmware", row.firmware ?? format.number(null)],
    ["Certificate", certificate(app, row.certificateDays)],
    ["Enrollment", row.enrollment ?? format.number(null)],
  ];
  if (row.door !== null) all.splice(4, 0, ["Door", row.door === true || row.door === "open" ? h("strong", {}, "open") : "closed"]);
  const waiting = device?.identity?.["messagesWaiting"];
  if (typeof waiting === "number" && waiting > 0) all.push(["Messages waiting", format.number(waiting)]);
  return all;
}

const CONNECTIONS: Record<Row["connection"], string> = { connected: "connected", disconnected: "not connected", never: "never connected" };

function certificate(app: App, days: number | null): Child {
  if (days === null) return app.format.number(null);
  if (days < 0) return h("strong", { class: "critical" }, "has expired");
  const text = `${app.format.days(days)} days left`;
  return days < 30 ? h("strong", { class: "warning" }, text) : text;
}

function buttons(app: App, id: string, isDisabled: boolean): HTMLElement[] {
  const report = h("a", { class: "button", href: `#/device/${encodeURIComponent(id)}/report` }, "Report");
  if (app.session.readOnly) return [report];
  const button = (text: string, act: () => unknown, kind = "", testid = ""): HTMLElement => h("button", { type: "button", class: `button ${kind}`.trim(), "data-testid": testid, onclick: act }, text);
  const list = [
    report,
    isDisabled ? button("Enable", () => enable(app, [id]), "", "device-enable") : button("Disable", () => disable(app, [id]), "", "device-disable"),
  ];
  if (reason(app.session, "enrollments") === null) {
    if (app.session.hubs.length > 1) list.push(button("Move", () => move(app, [id])));
    list.push(button("Deprovision", () => deprovision(app, [id]), "button-danger", "device-deprovision"));
  }
  return list;
}

function updateAlarms(app: App, id: string, list: HTMLElement, alarms: Alarm[]): void {
  const key = JSON.stringify(alarms);
  if (list.dataset["shown"] === key) return;
  list.dataset["shown"] = key;
  list.hidden = alarms.length === 0;
  // A button that has the focus keeps it.
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["alarm"] : undefined;
  fill(list, ...alarms.map((alarm) => alarmItem(app, id, alarm)));
  if (focused !== undefined) for (const button of list.querySelectorAll("button")) if (button.dataset["alarm"] === focused) button.focus();
}

function alarmItem(app: App, id: string, alarm: Alarm): HTMLElement {
  const since = h("time", { datetime: alarm.since, title: app.format.both(alarm.since) }, app.format.time(alarm.since));
  const text = h("span", {}, h("strong", {}, alarmName(alarm.name)), ` ${alarm.severity}, since `, since);
  const known = alarm.isAcknowledged ? h("span", { class: "muted" }, alarm.by === null ? "acknowledged" : `acknowledged by ${alarm.by}`) : null;
  const canDo = !alarm.isAcknowledged && reason(app.session, "methods") === null;
  const button = canDo && h("button", { type: "button", class: "button button-small", "data-alarm": alarm.name, "data-testid": `acknowledge-${alarm.name}`, onclick: () => void acknowledge(app, id, alarm) }, "Acknowledge");
  return h("li", { class: `alarm pill-${alarm.severity}` }, mark(alarm.severity === "critical" ? "alarm-critical" : "alarm-warning"), text, known, button);
}

function acknowledge(app: App, id: string, alarm: Alarm): Promise<boolean> {
  const name = h("input", { class: "field", name: "by", value: lastName, maxlength: 64, autocomplete: "name", required: true });
  return ask({
    title: `Acknowledge the alarm “${alarmName(alarm.name)}”?`,
    body: [h("p", {}, "The device is told that somebody knows of it. The alarm stays until its cause is gone."), labelled("Your name", name)],
    yes: "Acknowledge", explain: said,
    act: async (form) => {
      const by = String(form.get("by")).trim();
      if (by === "") throw new Error("Say who acknowledges it.");
      await app.api.acknowledge(id, alarm.name, by);
      lastName = by;
      app.notify(`“${alarmName(alarm.name)}” is acknowledged by ${by}.`);
    },
  });
}
