// The report of one container's trip: A4, black on white, made to be printed or kept as PDF.

import type { App } from "../app.js";
import { h, type Child } from "../dom.js";
import { Life } from "../parts/life.js";
import { isMissing, said } from "../parts/said.js";
import { verdictShown } from "../device/evidence.js";
import { picture } from "../track/picture.js";
import { columns, extent, gaps, type Columns } from "../voyage/columns.js";
import { meanKinetic } from "../voyage/kinetic.js";
import type { FieldReport, Trip } from "../voyage/trip.js";
import { words } from "../voyage/words.js";
import { paperChart } from "./chart.js";
import { material, type Material } from "./fetch.js";
import { boundTable, doorText, excursionTable, facts, fieldTable, gapText, moment, signatures } from "./parts.js";

export function mount(root: HTMLElement, app: App, [id = "", key]: string[]): () => void {
  const life = new Life();
  const page = h("div", { class: "report-page", "data-testid": "report" }, h("p", { class: "muted report-wait", role: "status" }, "The report is being made…"));
  root.append(page);
  material(app, id, key === undefined || key === "" ? null : key).then(
    (found) => !life.isOver && page.replaceChildren(bar(id, found), paper(app, found)),
    (error: unknown) => !life.isOver && page.replaceChildren(absent(id, error)),
  );
  return () => life.end();
}

function absent(id: string, error: unknown): HTMLElement {
  const text = isMissing(error) ? `There is no device ${id}.` : `The report can't be made: ${said(error)}`;
  return h("div", { class: "empty", role: "alert" }, h("strong", {}, text), h("a", { href: "#/" }, "Go to the fleet"));
}

/** What is not printed: which trip, and the way back. */
function bar(id: string, { trips, trip }: Material): HTMLElement {
  const home = `#/device/${encodeURIComponent(id)}`;
  const choice = h("select", { class: "field", "aria-label": "Trip" },
    ...trips.map((other) => h("option", { value: other.key, selected: other === trip }, tripName(other))),
    h("option", { value: "whole", selected: trip === null }, "The whole voyage"));
  choice.addEventListener("change", () => {
    location.hash = `${home}/report/${encodeURIComponent(choice.value)}`;
  });
  return h("div", { class: "report-bar no-print" },
    h("a", { href: home }, "← Container"), trips.length > 0 && choice,
    h("button", { type: "button", class: "button button-primary", "data-testid": "print", onclick: () => window.print() }, "Print or save as PDF"));
}

function tripName(trip: Trip): string {
  const name = trip.name === "" ? `From ${trip.first?.slice(0, 10) ?? "an unknown time"}` : trip.name;
  return trip.isUnderWay ? `${name} (under way)` : name;
}

function paper(app: App, found: Material): HTMLElement {
  const { format } = app;
  const { device, trip, view, series } = found;
  const temperature = columns(series?.fields["temperature"]);
  const humidity = columns(series?.fields["humidity"]);
  const drawn = found.excursions.filter(({ field, name }) => (field ?? name) === "temperature");
  return h(
    "article",
    { class: "paper", "aria-label": "Voyage report" },
    head(app, found),
    found.faults.length > 0 && h("div", { class: "paper-faults" }, ...found.faults.map((fault) => h("p", {}, `${fault}.`))),
    section("Temperature", chartOf(app, found, "temperature", temperature, drawn, 230)),
    section("Way", wayOf(app, found)),
    section("Values", valuesOf(app, found, { temperature, humidity })),
    section("Alarms", excursionTable(format, found.excursions, drawn)),
    humidity.t.length > 0 && section("Relative humidity", chartOf(app, found, "humidity", humidity, found.excursions.filter(({ field }) => field === "humidity"), 130)),
    section("Completeness", facts([
      ["Gaps", gapText(format, trip, gaps(temperature))],
      ["Door", doorText(format, trip, found.entries)],
      ["Measured by", `${device.row.id}${device.row.firmware === null ? "" : `, firmware ${device.row.firmware}`}. The sensor measures the air in the container, not the goods.`],
      ["Calibration", calibration(trip)],
    ])),
    section("Evidence", ..."why" in found.verdict ? [h("p", {}, found.verdict.why)] : verdictShown(found.verdict)),
    section("Seen", signatures()),
    h("footer", { class: "paper-foot" }, `${app.session.title}. Made by container-tracker ${app.session.version} on ${moment(format, new Date().toISOString())}${view === null ? "" : `; ${series === null || series.step === 0 ? "each reading is drawn" : `a point in the charts is ${format.duration(series.step)}`}`}.`),
  );
}

function section(title: string, ...children: Child[]): HTMLElement {
  return h("section", { class: "paper-part" }, h("h2", {}, title), ...children);
}

function head(app: App, { device, trip, view }: Material): HTMLElement {
  const { format } = app;
  const { row } = device;
  const number = trip?.containerNumber ?? row.container;
  const from = view === null ? null : view.from * 1000;
  const to = view === null ? null : view.to * 1000;
  return h("header", { class: "paper-head" },
    h("div", {}, h("p", { class: "paper-kind" }, trip?.isUnderWay === true ? "Voyage report, so far" : "Voyage report"), h("h1", {}, number === null ? row.id : format.container(number)), trip !== null && trip.name !== "" && h("p", { class: "paper-trip" }, trip.name)),
    facts([
      ["Cargo", row.cargo ?? "not said"],
      ["Profile", row.profile?.name ?? "none"],
      ["From", moment(format, from)],
      ["To", moment(format, to)],
      ["Lasted", view === null ? format.duration(null) : format.duration(view.to - view.from)],
      ["Readings", format.number(trip?.readings)],
      ["Distance", trip?.distanceKm == null ? format.number(null) : format.quantity(trip.distanceKm, "km", 0)],
      ["Tracker", row.id],
    ]));
}

function chartOf(app: App, { view, limits }: Material, field: string, data: Columns, excursions: Material["excursions"], height: number): Child {
  if (view === null || extent(data, view) === null) return h("p", {}, "No values were received.");
  return paperChart({ field, data, view, height, excursions, limits: limits.filter((limit) => limit.field === field), format: app.format });
}

/** The device's own figures where it has reported a trip; else what can be said of what was received. */
function valuesOf(app: App, { trip, view, series }: Material, data: Record<string, Columns>): HTMLElement {
  const { format } = app;
  if (trip !== null && trip.fields.length > 0) {
    const note = "MKT: mean kinetic temperature, ΔH = 83.144 kJ/mol; the worst 24 hours and 30 days on end. These figures are the device's own, made of every reading.";
    return h("div", {}, fieldTable(format, trip.fields), boundTable(format, trip.fields), h("p", { class: "paper-note" }, note));
  }
  const made = Object.entries(data).flatMap(([name, values]): FieldReport[] => {
    const found = view === null ? null : extent(values, view);
    if (found === null) return [];
    const mkt = name === "temperature" ? meanKinetic(values, series?.step ?? 0) : null;
    return [{ name, min: { value: found.min, time: null }, max: { value: found.max, time: null }, mean: found.mean, seconds: null, mkt, mkt24h: null, mkt30d: null, bounds: [] }];
  });
  if (made.length === 0) return h("p", {}, "No values were received.");
  const names = made.map(({ name }) => words(name).name.toLowerCase()).join(" and ");
  return h("div", {}, fieldTable(format, made), h("p", { class: "paper-note" }, `The figures of ${names} are made here, of what was received: the device has reported no trip of this time. MKT: mean kinetic temperature, ΔH = 83.144 kJ/mol.`));
}

function wayOf(app: App, { track, device, trip }: Material): HTMLElement {
  const map = picture(app.format, 700, 220);
  map.set(track, trip === null || trip.isUnderWay ? device.row.at : null, []);
  return map.element;
}

function calibration(trip: Trip | null): Child {
  if (trip === null || trip.calibration.length === 0) return "None is said.";
  return h("ul", { class: "paper-list" }, ...trip.calibration.map(({ name, text }) => h("li", {}, `${name}: ${text}`)));
}
