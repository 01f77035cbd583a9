// The mock's answers about one device, enrollments and faults.

import { fail, json } from "./answers.mjs";
import { iso } from "./fleet.mjs";
import { deprovision, serviceAnswer } from "./service.mjs";
import { trips } from "./trip.mjs";
import { patchTwin, twin } from "./twin.mjs";

const DAY = 86_400_000;

export function deviceAnswer(mock, method, path, query, body, response) {
  if (path[0] !== "devices") return serviceAnswer(mock, method, path, body, response);
  const device = mock.fleet.devices.get(path[1]);
  if (!device) return fail(response, 404, "notFound", `There is no device ${path[1]}.`);
  const span = spanOf(mock, query);
  switch (`${method} ${path[2] ?? ""}`) {
    case "GET ":
      return json(response, overview(mock, device));
    case "PATCH ":
      return json(response, setState(mock, device, body.status === "disabled" ? "disabled" : "ok"));
    case "GET series":
      return json(response, series(mock, device, span, query));
    case "GET track":
      return json(response, { points: mock.fleet.track(device.row.id, Math.min(Number(query.get("points") ?? 2000), 600), span) });
    case "GET story":
      return json(response, { entries: story(mock, device), next: null });
    case "GET alarms":
      return json(response, { spans: spans(mock, device) });
    case "GET twin":
      return json(response, twin(mock, device));
    case "PATCH twin":
      return patchTwin(mock, device, body, response);
    case "POST methods":
      return json(response, body.name === "fail" ? { status: 404, payload: { message: "there is no method \"fail\"" } } : { status: 200, payload: { pong: true, payload: body.payload } });
    case "POST messages":
      return json(response, {});
    case "POST acknowledge":
      for (const alarm of device.row.alarms) if (alarm.name === body.alarm) Object.assign(alarm, { isAcknowledged: true, by: body.by });
      mock.send("delta", { time: iso(mock.fleet.time), devices: [{ id: device.row.id, alarms: device.row.alarms }], gone: [], entries: [] });
      return json(response, {});
    case "GET trips":
      return json(response, { trips: trips(mock, device) });
    case "GET export.csv":
    case "GET export.jsonl":
      return response.end("time,temperature\n");
    case "POST move":
      mock.send("delta", { time: iso(mock.fleet.time), devices: [{ id: device.row.id, hub: body.hub }], gone: [], entries: [] });
      return json(response, {});
    case "POST deprovision":
    case "DELETE ":
      deprovision(mock, device.row.id);
      return json(response, {});
    case "POST verify":
      return json(response, { verdict: "untouched", lines: ["12 of 12 statements are signed by the device's key.", "The chain has no gap."] });
    default:
      return fail(response, 404, "notFound", `The mock has no ${method} ${path.join("/")}.`);
  }
}

function setState(mock, device, state) {
  if (!device) return {};
  device.row.state = state;
  mock.send("delta", { time: iso(mock.fleet.time), devices: [{ id: device.row.id, state }], gone: [], entries: [] });
  return { deviceId: device.row.id, status: state === "disabled" ? "disabled" : "enabled" };
}

function spanOf(mock, query) {
  const end = query.has("to") ? Date.parse(query.get("to")) : mock.fleet.time;
  return { to: end, from: query.has("from") ? Date.parse(query.get("from")) : end - 21 * DAY };
}

function overview(mock, device) {
  return {
    row: device.row,
    identity: { deviceId: device.row.id, etag: "MQ==", status: device.row.state === "disabled" ? "disabled" : "enabled", connectionState: "Connected", authentication: { type: "selfSigned" } },
    registration: { registrationId: device.row.id, status: "assigned", assignedHub: device.row.hub, createdDateTimeUtc: "2026-11-01T08:00:00Z", lastUpdatedDateTimeUtc: "2026-11-11T08:00:00Z", errorCode: null, errorMessage: null },
    fields: device.row.state === "new" ? [] : ["temperature", "humidity", "pressure", "speed"],
    first: iso(mock.fleet.time - 21 * DAY),
    last: iso(mock.fleet.time),
  };
}

function series(mock, device, { from, to }, query) {
  const points = Number(query.get("points") ?? 800);
  const step = (to - from) / points / 1000;
  const fields = {};
  for (const field of (query.get("fields") ?? "temperature").split(",")) {
    const column = { t: [], min: [], mean: [], max: [] };
    for (let index = 0; index < points; index += 1) {
      const time = from + index * step * 1000;
      const isGap = index > points * 0.55 && index < points * 0.6;
      const mean = isGap ? null : value(mock, device, field, time);
      column.t.push(Math.round(time / 1000));
      column.min.push(mean === null ? null : mean - 0.4);
      column.mean.push(mean);
      column.max.push(mean === null ? null : mean + 0.4);
    }
    fields[field] = column;
  }
  return { from: iso(from), to: iso(to), step, fields };
}

function value(mock, device, field, time) {
  const wave = Math.sin(device.phase + time / (9 * 3_600_000));
  if (field === "temperature") return Math.round((mock.fleet.temperature(device.row.id, time) + excursion(mock, time)) * 100) / 100;
  if (field === "humidity") return 70 + 12 * wave;
  if (field === "pressure") return 1013 + 8 * wave;
  return field === "speed" ? 30 + 5 * wave : wave;
}

/** °C that a reefer's failure adds, nine days ago. */
function excursion(mock, time) {
  const days = (mock.fleet.time - time) / DAY;
  return days > 8.5 && days < 9.1 ? 5 * Math.sin(((9.1 - days) / 0.6) * Math.PI) : 0;
}

function spans(mock, device) {
  const { time } = mock.fleet;
  return [
    { name: "temperature", severity: "critical", begin: iso(time - 9 * DAY), end: iso(time - 8.6 * DAY), extreme: device.row.profile.high + 3.1, limit: device.row.profile.high, field: "temperature" },
    { name: "doorOpened", severity: "warning", begin: iso(time - 15 * DAY), end: iso(time - 14.97 * DAY), extreme: null, limit: null, field: null },
  ];
}

function story(mock, device) {
  const { time } = mock.fleet;
  const entry = (days, kind, text, more = {}) => ({ id: `${device.row.id}-${days}`, device: device.row.id, time: iso(time - days * DAY), kind, text, severity: null, alarm: null, state: null, begin: null, extreme: null, limit: null, at: null, ...more });
  return [
    ...device.story,
    entry(0.2, "connection", "Connected to hub-west."),
    entry(0.3, "takeover", "Another client took the connection over."),
    entry(8.6, "alarm", "Temperature is back below the limit.", { alarm: "temperatureHigh", state: "ended", severity: "critical", extreme: 9.4, limit: 8 }),
    entry(9, "alarm", "Temperature is above the limit.", { alarm: "temperatureHigh", state: "active", severity: "critical", limit: 8 }),
    entry(12, "place", "Left Maasvlakte.", { at: [4.02, 51.95] }),
    entry(15, "door", "The door was opened."),
    entry(20.9, "refusal", "Refused: the enrollment is disabled (401002)."),
    entry(21, "provisioning", "Assigned to hub-west by group containers."),
  ];
}
