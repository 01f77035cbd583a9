// Enrollment: who may register, who has, who is refused and why, and what an operator can do about it.

import type { App } from "../app.js";
import type { StoryEntry } from "../api-types.js";
import { kindMark, kindName } from "../device/story-kinds.js";
import { h, type Child } from "../dom.js";
import { card, fill, hubName, refill, why } from "../parts/card.js";
import { Life, throttled } from "../parts/life.js";
import { reason } from "../parts/reasons.js";
import { said } from "../parts/said.js";
import { devicesPart } from "./devices.js";
import { scenarioPart } from "./scenario.js";
import { certificateTable, enrollmentTable, groupTable, registrationTable } from "./lists.js";

const REFETCH_MS = 2500;
const RECORDS = 200;
const TOLD: readonly StoryEntry["kind"][] = ["provisioning", "refusal", "connection", "takeover", "operator"];

export function mount(root: HTMLElement, app: App): () => void {
  const life = new Life();
  const unable = reason(app.session, "enrollments");
  const canChange = unable === null;
  const scope = app.session.idScope === null ? null : h("p", { class: "muted" }, "ID scope ", h("code", { class: "mono" }, app.session.idScope), ", hubs ", ...app.session.hubs.flatMap((hub, index) => (index === 0 ? [hubName(hub)] : [", ", hubName(hub)])));
  // Whoever may only look can still see all of it.
  const isThere = canChange || app.session.readOnly;
  const parts: HTMLElement[] = [];
  const fetches: (() => void)[] = [];
  root.append(
    h("div", { class: "page operations-page", "data-testid": "enrollment" },
      h("div", {}, h("h1", {}, "Enrollment"), scope, unable !== null && why(unable)),
      scenarioPart(app, life, () => fetches.forEach((fetch) => fetch())),
      h("div", { class: "device-columns" }, h("div", { class: "device-side" }, ...(isThere ? service(app, life, canChange, parts, fetches) : [])), happenings(app, life)),
      devicesPart(app, life, !app.session.readOnly),
      ...parts),
  );
  return () => life.end();
}

/** What the provisioning service has, fetched anew whenever something has happened there; what is long goes into `below`. */
function service(app: App, life: Life, canChange: boolean, below: HTMLElement[], fetches: (() => void)[]): HTMLElement[] {
  const refetch = (): void => {
    for (const fetch of fetches) fetch();
  };
  const group = h("input", { class: "field", placeholder: "all groups", "aria-label": "Records of this group only", "data-testid": "registration-group" });

  const part = <T>(title: string, testid: string, get: () => Promise<T[]>, shown: (items: T[]) => HTMLElement, beside: Child[] = []): HTMLElement => {
    const place = h("div", {}, h("p", { class: "muted" }, "Fetching…"));
    const fetch = (): void => {
      get().then(
        (items) => !life.isOver && refill(place, shown(items)),
        (error: unknown) => !life.isOver && fill(place, h("p", { class: "field-error" }, `It can't be fetched: ${said(error)}`)),
      );
    };
    fetches.push(fetch);
    fetch();
    return card(title, { testid, beside }, place);
  };

  group.addEventListener("change", refetch);
  const soon = throttled(life, REFETCH_MS, refetch);
  life.add(app.store.onEntries((entries) => entries.some(({ kind }) => TOLD.includes(kind)) && soon()));
  below.push(part("Registration records", "registrations", () => app.api.registrations(group.value.trim() || undefined), (items) => records(app, items, canChange, refetch), [group]));
  return [
    part("Enrollment groups", "groups", () => app.api.enrollmentGroups(), (items) => groupTable(app, items, canChange, refetch)),
    part("Individual enrollments", "enrollments", () => app.api.enrollments(), (items) => enrollmentTable(app, items, canChange, refetch)),
    part("CA certificates", "certificates", () => app.api.certificates(), (items) => certificateTable(app, items)),
  ];
}

function records(app: App, items: Parameters<typeof registrationTable>[1], canChange: boolean, done: () => void): HTMLElement {
  const rest = items.length - RECORDS;
  return h("div", {}, registrationTable(app, items.slice(0, RECORDS), canChange, done), rest > 0 && h("p", { class: "muted small" }, `and ${app.format.number(rest)} more: name a group to see fewer.`));
}

/** What happens to registrations and connections, as it happens: a life cycle can be followed here step by step. */
function happenings(app: App, life: Life): HTMLElement {
  const list = h("ol", { class: "story-list" });
  const draw = (): void => {
    const told = app.store.entries.filter(({ kind }) => TOLD.includes(kind)).slice(0, 80);
    fill(list, ...told.map((entry) => h("li", { class: "story-item" }, kindMark(entry), h("span", { class: "story-text" }, h("span", { class: "visually-hidden" }, `${kindName(entry.kind)}: `), entry.device !== "" && h("a", { href: `#/device/${encodeURIComponent(entry.device)}` }, entry.device), entry.device !== "" && " ", entry.text), h("time", { class: "muted small", datetime: entry.time, title: app.format.utc(entry.time) }, app.format.time(entry.time)))));
    if (told.length === 0) fill(list, h("li", { class: "muted" }, "Nothing has happened yet."));
  };
  life.add(app.store.onEntries(throttled(life, 500, draw)));
  draw();
  return card("What happens", { testid: "enrollment-story" }, h("div", { class: "story-scroll", tabindex: 0, role: "region", "aria-label": "Happenings, the newest first" }, list));
}
