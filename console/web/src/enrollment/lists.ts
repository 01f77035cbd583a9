// Enrollments, CA certificates and registration records, each in a table with what can be done to it.

import type { App } from "../app.js";
import type { Certificate, Enrollment, EnrollmentGroup, ProvisioningStatus, Registration } from "../api-types.js";
import { h, type Child } from "../dom.js";
import { hubName, table, tr } from "../parts/card.js";
import { ask } from "../parts/dialog.js";
import { dig, text } from "../parts/loose.js";
import { said } from "../parts/said.js";
import { allocation, attestation, certificate, failure } from "./words.js";

/** Does something and has everything fetched anew. */
export type Done = () => void;

export function groupTable(app: App, groups: EnrollmentGroup[], canChange: boolean, done: Done): HTMLElement {
  if (groups.length === 0) return none("No enrollment group: only devices with an enrollment of their own can register.");
  const rows = groups.map((group) => {
    const id = group.enrollmentGroupId;
    const set = (status: ProvisioningStatus): Promise<unknown> => app.api.setEnrollmentGroup(id, status);
    return tr(id, status(group.provisioningStatus), attestation(group), allocation(group), interval(group), canChange && toggle("group", id, group.provisioningStatus, GROUP_MEANS, set, done));
  });
  return table("All enrollment groups", ["Group", "Status", "Devices prove themselves by", "Hubs", "Initial twin", ""], rows);
}

export function enrollmentTable(app: App, enrollments: Enrollment[], canChange: boolean, done: Done): HTMLElement {
  if (enrollments.length === 0) return none("No device has an enrollment of its own.");
  const rows = enrollments.map((enrollment) => {
    const id = enrollment.registrationId;
    const set = (status: ProvisioningStatus): Promise<unknown> => app.api.setEnrollment(id, status);
    const controls = h("div", { class: "row row-tight" }, toggle("enrollment", id, enrollment.provisioningStatus, ONE_MEANS, set, done), remove(
      `Delete the enrollment ${id}?`, "The device can't register by it any more. A group that takes its certificate may let it in.", () => app.api.removeEnrollment(id), done));
    return tr(device(id), status(enrollment.provisioningStatus), attestation(enrollment), allocation(enrollment), canChange && controls);
  });
  return table("All individual enrollments", ["Registration", "Status", "Proves itself by", "Hubs", ""], rows);
}

export function certificateTable(app: App, certificates: Certificate[]): HTMLElement {
  if (certificates.length === 0) return none("No CA certificate is uploaded.");
  const rows = certificates.map((value) => {
    const { name, subject, expires, isVerified, thumbprint } = certificate(value);
    const proof = isVerified ? word("accepted", "✓", "Verified") : word("pending", "…", "Not verified");
    return tr(name, proof, subject ?? "–", app.format.day(expires) === "–" ? "–" : app.format.time(expires), h("span", { class: "mono small", title: thumbprint }, thumbprint?.slice(0, 12) ?? "–"));
  });
  return table("All CA certificates", ["Name", "Proof of possession", "Subject", "Expires", "Thumbprint"], rows);
}

export function registrationTable(app: App, registrations: Registration[], canChange: boolean, done: Done): HTMLElement {
  if (registrations.length === 0) return none("No registration record.");
  const rows = registrations.map((record) => {
    const id = record.registrationId;
    const fault = failure(record);
    const state = record.status === "assigned" ? word("accepted", "✓", "assigned") : word(record.status === "assigning" ? "pending" : "refused", record.status === "assigning" ? "…" : "✕", record.status);
    const controls = canChange && remove(
      `Delete the registration record of ${id}?`, "The provisioning service forgets where the device was assigned. The device stays at its hub until it registers anew.", () => app.api.removeRegistration(id), done);
    return tr(device(id), state, hubName(text(record.assignedHub)), text(dig(record, "enrollmentGroupId")) ?? text(dig(record, "substatus")) ?? "–", app.format.time(record.lastUpdatedDateTimeUtc), fault ?? "", controls);
  });
  return table("All registration records", ["Registration", "Status", "Hub", "Enrollment", "Updated", "Error", ""], rows);
}

const GROUP_MEANS = {
  disabled: "Devices of this group can't register any more: new ones are refused. Those that are at a hub stay connected until they have to register anew.",
  enabled: "Devices of this group can register again. Those that were refused come back by themselves.",
};
const ONE_MEANS = {
  disabled: "The device can't register any more, even where a group would take it. While it is connected it stays so; deprovision it to end that.",
  enabled: "The device can register again, and comes back by itself.",
};

function toggle(kind: string, id: string, now: ProvisioningStatus, means: Record<ProvisioningStatus, string>, set: (status: ProvisioningStatus) => Promise<unknown>, done: Done): HTMLElement {
  const next: ProvisioningStatus = now === "enabled" ? "disabled" : "enabled";
  const verb = next === "enabled" ? "Enable" : "Disable";
  const act = async (): Promise<void> => {
    const isDone = await ask({ title: `${verb} the ${kind} ${id}?`, body: [h("p", {}, means[next])], yes: verb, isDangerous: next === "disabled", explain: said, act: () => set(next) });
    if (isDone) done();
  };
  return h("button", { type: "button", class: "button button-small", "aria-label": `${verb} ${id}`, "data-testid": `${kind}-toggle-${id}`, onclick: () => void act() }, verb);
}

function remove(title: string, means: string, act: () => Promise<unknown>, done: Done): HTMLElement {
  const go = async (): Promise<void> => {
    if (await ask({ title, body: [h("p", {}, means)], yes: "Delete", isDangerous: true, explain: said, act })) done();
  };
  return h("button", { type: "button", class: "button button-small", "aria-label": title.replace("?", ""), onclick: () => void go() }, "Delete");
}

function status(value: ProvisioningStatus): HTMLElement {
  return value === "disabled" ? word("refused", "✕", "disabled") : word("accepted", "✓", "enabled");
}

function word(tone: string, sign: string, name: string): HTMLElement {
  return h("span", { class: `answer answer-word answer-${tone}` }, h("span", { "aria-hidden": "true" }, `${sign} `), name);
}

function device(id: string): Child {
  return h("a", { href: `#/device/${encodeURIComponent(id)}` }, id);
}

function interval(group: EnrollmentGroup): Child {
  const twin = dig(group, "initialTwin", "properties", "desired");
  return twin === undefined || twin === null ? "–" : h("code", { class: "mono small wrapped" }, JSON.stringify(twin).slice(0, 120));
}

function none(why: string): HTMLElement {
  return h("p", { class: "muted" }, why);
}
