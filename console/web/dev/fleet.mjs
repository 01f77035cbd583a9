// A fleet that is made up: the same for the same number, so that tests and pictures repeat.

import { LANE_NAMES, along, laneLength } from "./routes.mjs";

const HOUR = 3_600_000;
const CARGOES = ["Bananas", "Salmon", "Vaccines", "Coffee", "Lithium cells", "Chocolate", "Blueberries", "Machine parts"];
const COLD = { Bananas: 13.4, Salmon: -19.5, Vaccines: 5, Coffee: 21, "Lithium cells": 22, Chocolate: 15, Blueberries: 0.6, "Machine parts": 24 };
const PLACES = ["Rotterdam, Maasvlakte", "Singapore, Tuas", "Los Angeles, Pier 400", "Cape Town, Ben Schoeman"];
const HAPPENINGS = [
  ["connection", "Connected to the hub.", {}],
  ["connection", "The connection was lost: no answer for 345 s.", {}],
  ["refusal", "Refused: the enrollment is disabled (401002).", {}],
  ["alarm", "Temperature is above 8.0 °C: 9.4 °C.", { alarm: "temperatureHigh", severity: "critical", state: "active" }],
  ["alarm", "Temperature is back below 8.0 °C after 42 min.", { alarm: "temperatureHigh", severity: "critical", state: "ended" }],
  ["door", "The door was opened.", {}],
  ["place", "Entered Rotterdam, Maasvlakte.", {}],
  ["takeover", "Another client took the connection over.", {}],
];
export const MARKUP = "<img src=x onerror=window.__markup=1>";

/** A small deterministic generator of numbers from 0 to 1. */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Fleet {
  /** `hostile`: the first device's ID, cargo and place are markup. */
  constructor({ count = 40, hostile = false, start = Date.UTC(2026, 10, 12, 6), speed = 0.5, seed = 1 } = {}) {
    this.time = start;
    this.start = start;
    this.speed = speed;
    this.isPaused = false;
    this.random = random(seed);
    this.entries = [];
    this.entryCount = 0;
    this.devices = new Map();
    for (let index = 0; index < count; index += 1) {
      const device = this.make(index, count);
      if (hostile && index === 0) {
        Object.assign(device.row, { id: MARKUP, container: null, cargo: "<b>Bananas</b>", place: "<script>window.__markup=1</script>", firmware: "&lt;1.0" });
      }
      this.devices.set(device.row.id, device);
    }
    for (const device of this.devices.values()) this.place(device);
  }

  /** The fleet at a time in ms (by default now): rows as GET /api/fleet gives them. */
  rows(time = this.time) {
    return [...this.devices.values()].map((device) => (time === this.time ? device.row : this.rowAt(device, time)));
  }

  rowAt(device, time) {
    const { at, course } = along(device.lane, this.share(device, time));
    const row = { ...device.row, temperature: round(temperature(device, time), 2) };
    return { ...row, ...(device.row.at === null ? {} : { at, course }), lastReading: iso(time), lastSeen: iso(time), spark: spark(device, time) };
  }

  /** Where a device was in the last `days` days, newest last. */
  track(id, points, { from, to } = {}) {
    const device = this.devices.get(id);
    if (!device || device.row.at === null) return [];
    const end = to ?? this.time;
    const begin = from ?? end - 3 * 24 * HOUR;
    return Array.from({ length: points }, (_, index) => {
      const time = begin + ((end - begin) * index) / Math.max(points - 1, 1);
      const step = (end - begin) / Math.max(points - 1, 1);
      // A lane that ends begins anew: its tail has a gap there.
      const isNew = index > 0 && this.share(device, time) < this.share(device, time - step);
      const isGap = isNew || (device.index % 7 === 3 && index === Math.floor(points / 2));
      return isGap ? null : [...along(device.lane, this.share(device, time)).at, Math.round(time / 1000)];
    });
  }

  temperature(id, time) {
    return temperature(this.devices.get(id), time);
  }

  /** Lets `seconds` of the page's time pass; gives the delta, in which about `share` of the fleet has news. */
  step(seconds, share = 0.2) {
    if (!this.isPaused) this.time += seconds * this.speed * HOUR;
    const devices = [];
    for (const device of this.devices.values()) {
      if (this.random() > share || device.row.state === "silent" || device.row.state === "disabled") continue;
      devices.push({ id: device.row.id, ...this.place(device) });
    }
    if (share > 0 && this.devices.size > 0) this.happen();
    const entries = this.entries.splice(0);
    return { time: iso(this.time), devices, gone: [], entries };
  }

  /** Now and then something happens to somebody. */
  happen() {
    if (this.random() > 0.3) return;
    const devices = [...this.devices.values()];
    const device = devices[Math.floor(this.random() * devices.length)];
    const [kind, text, more] = HAPPENINGS[Math.floor(this.random() * HAPPENINGS.length)];
    this.tell(device, kind, text, more);
  }

  tell(device, kind, text, more = {}) {
    this.entryCount += 1;
    const blank = { severity: null, alarm: null, state: null, begin: null, extreme: null, limit: null, at: device.row.at };
    const entry = { id: this.entryCount, device: device.row.id, time: iso(this.time), kind, text, ...blank, ...more };
    device.story.unshift(entry);
    this.entries.push(entry);
    return entry;
  }

  make(index, count) {
    const pick = (list) => list[Math.floor(this.random() * list.length)];
    const cargo = pick(CARGOES);
    const low = Math.round(COLD[cargo] - 2);
    const lane = LANE_NAMES[index % LANE_NAMES.length];
    const state = pickState(this.random(), index, count);
    const row = {
      id: `tracker-${String(index + 1).padStart(count > 999 ? 5 : 3, "0")}`,
      hub: index % 3 === 0 ? "hub-west" : "hub-east",
      state,
      connection: state === "new" ? "never" : state === "silent" || state === "outage" ? "disconnected" : "connected",
      cargo,
      container: containerNumber(index),
      place: null,
      at: null, course: null, speed: null, temperature: null, humidity: null, pressure: null,
      door: "closed", spark: [], alarms: [],
      backlog: state === "outage" ? 40 + (index % 90) : index % 11 === 0 ? index % 23 : 0,
      lastSeen: null, lastReading: null,
      firmware: index % 9 === 0 ? "0.9.2" : "0.10.0",
      certificateDays: 3 + ((index * 37) % 360),
      enrollment: index % 5 === 0 ? "individual" : "containers",
      refusal: state === "refused" ? "The enrollment is disabled (HTTP 401, code 401002)." : null,
      profile: { name: cargo.toLowerCase(), low, high: low + 4 },
    };
    const device = { index, row, lane, offset: this.random(), phase: this.random() * 6, story: [], silentSince: this.start - 9 * HOUR };
    if (state === "alarm") {
      const severity = index % 3 === 0 ? "critical" : "warning";
      row.alarms = [{ name: index % 2 ? "temperatureHigh" : "doorOpen", severity, since: iso(this.start - 2 * HOUR), isAcknowledged: index % 4 === 0, by: index % 4 === 0 ? "Mara" : null }];
    }
    return device;
  }

  /** Moves a device to where it is now; gives the members that changed. */
  place(device) {
    const { row } = device;
    if (row.state === "new") return {};
    const time = row.state === "silent" ? device.silentSince : this.time;
    const { at, course } = along(device.lane, this.share(device, time));
    const share = this.share(device, time);
    const news = {
      at: device.index % 19 === 7 ? null : at,
      course,
      speed: round(28 + 6 * Math.sin(device.phase + time / (6 * HOUR)), 1),
      temperature: round(temperature(device, time), 2),
      humidity: round(70 + 12 * Math.sin(device.phase + time / (9 * HOUR)), 1),
      pressure: round(1013 + 8 * Math.sin(device.phase + time / (30 * HOUR)), 1),
      lastSeen: iso(time),
      lastReading: iso(time),
      spark: spark(device, time),
      place: row.place?.startsWith("<") ? row.place : share < 0.04 || share > 0.96 ? PLACES[device.index % PLACES.length] : null,
    };
    Object.assign(row, news);
    return news;
  }

  share(device, time) {
    const hours = (time - this.start) / HOUR;
    return (((device.offset + (hours * 34) / laneLength(device.lane)) % 1) + 1) % 1;
  }
}

export function iso(time) {
  return new Date(time).toISOString();
}

function temperature(device, time) {
  const middle = (device.row.profile.low + device.row.profile.high) / 2;
  const warm = device.row.alarms.some((alarm) => alarm.name === "temperatureHigh") ? 3.4 : 0;
  return middle + warm + 0.9 * Math.sin(device.phase + time / (2.3 * HOUR)) + 0.5 * Math.sin(time / (0.7 * HOUR) + device.index);
}

function spark(device, time) {
  return Array.from({ length: 24 }, (_, hour) =>
    device.index % 7 === 3 && hour > 8 && hour < 13 ? null : round(temperature(device, time - (23 - hour) * HOUR), 2));
}

function pickState(chance, index, count) {
  if (index < 2) return index === 0 ? "ok" : "alarm";
  if (count > 3 && index === 3) return "refused";
  if (chance < 0.8) return "ok";
  return chance < 0.88 ? "alarm" : chance < 0.92 ? "silent" : chance < 0.94 ? "refused" : chance < 0.97 ? "outage" : chance < 0.985 ? "disabled" : "new";
}

/** ISO 6346 with its check digit: letters count from 10 and leave out the multiples of 11. */
export function containerNumber(index) {
  const text = `MSKU${String((907_000 + index * 7) % 1_000_000).padStart(6, "0")}`;
  const values = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"].reduce((map, letter) => {
    let next = map.size === 0 ? 10 : [...map.values()].at(-1) + 1;
    if (next % 11 === 0) next += 1;
    return map.set(letter, next);
  }, new Map());
  const sum = [...text].reduce((total, sign, at) => total + (values.get(sign) ?? Number(sign)) * 2 ** at, 0);
  return `${text}${(sum % 11) % 10}`;
}

function round(value, digits) {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
