// The container's trips as its own reports tell them, with a link to a page of each that prints.

import type { App } from "../app.js";
import { h } from "../dom.js";
import { card, fill, table, tr } from "../parts/card.js";
import type { Life } from "../parts/life.js";
import { said } from "../parts/said.js";
import { trips, type Trip } from "../voyage/trip.js";

export function tripsPart(app: App, id: string, life: Life): HTMLElement {
  const place = h("div", {}, h("p", { class: "muted" }, "Reports are being fetched…"));
  const again = h("button", { type: "button", class: "button button-small", onclick: () => void fetchTrips() }, "Fetch again");
  const whole = h("a", { class: "button button-small", href: `#/device/${encodeURIComponent(id)}/report`, "data-testid": "report-link" }, "Report to print");

  async function fetchTrips(): Promise<void> {
    again.disabled = true;
    try {
      const found = trips((await app.api.trips(id)).trips);
      if (!life.isOver) fill(place, found.length === 0 ? none() : tripTable(app, id, found));
    } catch (error) {
      if (!life.isOver) fill(place, h("p", { class: "field-error" }, `Reports can't be fetched: ${said(error)}`));
    }
    again.disabled = false;
  }
  life.add(app.store.onEntries((entries) => entries.some((entry) => entry.device === id && entry.kind === "trip") && void fetchTrips()));
  void fetchTrips();
  return card("Trips", { beside: [again, whole], testid: "trips" }, place);
}

function none(): HTMLElement {
  return h("p", { class: "muted" }, "No trip has been reported. One begins with the direct method startTrip, or by itself where the desired property evidence is true.");
}

const number = (text: string): { text: string; isNumber: boolean } => ({ text, isNumber: true });

export function tripTable(app: App, id: string, all: Trip[]): HTMLElement {
  const heads = ["Trip", "From", "To", number("Readings"), number("Gaps"), number("Lowest"), number("Mean"), number("Highest"), number("MKT"), number("Beyond limits"), number("Door"), number("km")];
  return table("Trips as reported", heads, all.map((trip) => tripRow(app, id, trip)));
}

function tripRow(app: App, id: string, trip: Trip): HTMLTableRowElement {
  const { format } = app;
  const field = trip.fields.find((found) => found.name === "temperature");
  const beyond = field?.bounds.filter(({ name }) => name === "low" || name === "high") ?? [];
  const seconds = beyond.reduce((sum, bound) => sum + (bound.beyondSeconds ?? 0), 0);
  const link = h("a", { href: `#/device/${encodeURIComponent(id)}/report/${encodeURIComponent(trip.key)}` }, trip.name === "" ? "Without a name" : trip.name);
  return tr(
    h("span", { class: "trip-name" }, link, trip.isUnderWay && h("span", { class: "pill" }, "under way")),
    h("span", { title: format.utc(trip.first) }, format.time(trip.first)),
    h("span", { title: format.utc(trip.last) }, format.time(trip.last)),
    { number: format.number(trip.readings) },
    { number: format.number(trip.gaps.count) },
    { number: format.temperature(field?.min?.value) },
    { number: format.temperature(field?.mean) },
    { number: format.temperature(field?.max?.value) },
    { number: format.temperature(field?.mkt) },
    { number: beyond.length === 0 ? "no limits" : seconds === 0 ? "never" : format.duration(seconds) },
    { number: format.number(trip.doorOpenings) },
    { number: format.number(trip.distanceKm) },
  );
}
