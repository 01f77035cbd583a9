// The mock's answers about enrollments, certificates, registrations and faults.

import { fail, json } from "./answers.mjs";
import { iso } from "./fleet.mjs";

const X509 = { primary: { info: { subjectName: "CN=Cheese Factory Intermediate", sha256Thumbprint: "3F0A11C2", notAfterUtc: "2036-01-01T00:00:00Z" } }, secondary: null };

export function serviceAnswer(mock, method, path, body, response) {
  mock.groups ??= [group("containers", { signingCertificates: X509 }), group("spare-parts", { caReferences: { primary: "cheese-root" } }, "disabled")];
  mock.enrollments ??= ["tracker-001", "tracker-006", "tracker-011"].map((id) => ({ registrationId: id, deviceId: id, provisioningStatus: "enabled", etag: '"1"', allocationPolicy: "hashed", attestation: { type: "x509", x509: { clientCertificates: X509 } }, createdDateTimeUtc: "2026-11-01T08:00:00Z", lastUpdatedDateTimeUtc: "2026-11-11T08:00:00Z" }));
  mock.removed ??= new Set();
  switch (`${method} ${path[0]}`) {
    case "GET enrollment-groups":
      return json(response, { groups: mock.groups });
    case "PATCH enrollment-groups":
      return json(response, Object.assign(mock.groups.find(({ enrollmentGroupId }) => enrollmentGroupId === path[1]) ?? {}, body));
    case "GET enrollments":
      return json(response, { enrollments: mock.enrollments });
    case "PATCH enrollments":
      return json(response, Object.assign(mock.enrollments.find(({ registrationId }) => registrationId === path[1]) ?? {}, body));
    case "DELETE enrollments":
      mock.enrollments = mock.enrollments.filter(({ registrationId }) => registrationId !== path[1]);
      return json(response, {});
    case "GET certificates":
      return json(response, { certificates: [certificate("cheese-root", true), certificate("new-root", false)] });
    case "GET registrations":
      return json(response, { registrations: [...mock.fleet.devices.values()].filter(({ row }) => !mock.removed.has(row.id)).map(registration) });
    case "DELETE registrations":
      mock.removed.add(path[1]);
      return json(response, {});
    case "POST deprovision":
      for (const id of body.devices === "all" ? [...mock.fleet.devices.keys()] : body.devices) deprovision(mock, id);
      return json(response, {});
    case "GET faults":
      return json(response, { faults: [...mock.faults.values()] });
    case "POST faults":
      return startFault(mock, body, response);
    case "DELETE faults":
      return stopFault(mock, Number(path[1]), response);
    default:
      return fail(response, 404, "notFound", `The mock has no ${method} ${path.join("/")}.`);
  }
}

/** Its identity goes, and with it its row. */
export function deprovision(mock, id) {
  mock.fleet.devices.delete(id);
  mock.removed?.add(id);
  mock.send("delta", { time: iso(mock.fleet.time), devices: [], gone: [id], entries: [] });
}

function group(enrollmentGroupId, x509, provisioningStatus = "enabled") {
  return { enrollmentGroupId, provisioningStatus, etag: '"1"', attestation: { type: "x509", x509 }, allocationPolicy: "hashed", iotHubs: ["hub-west", "hub-east"], initialTwin: { tags: {}, properties: { desired: { telemetryInterval: 5 } } }, createdDateTimeUtc: "2026-11-01T08:00:00Z", lastUpdatedDateTimeUtc: "2026-11-11T08:00:00Z" };
}

function certificate(name, isVerified) {
  return { name, etag: '"1"', properties: { subject: `CN=${name}`, expiry: "Tue, 01 Jan 2036 00:00:00 GMT", thumbprint: "3F0A11C2D07A43B1F7E2C58B2D1A", isVerified, created: "Thu, 01 Jan 2026 00:00:00 GMT", updated: "Thu, 01 Jan 2026 00:00:00 GMT" } };
}

function registration({ row }) {
  const isRefused = row.state === "refused";
  return {
    registrationId: row.id, deviceId: row.id, status: isRefused ? "failed" : "assigned", substatus: isRefused ? null : "initialAssignment", assignedHub: isRefused ? null : row.hub, enrollmentGroupId: row.enrollment === "individual" ? null : row.enrollment,
    createdDateTimeUtc: "2026-11-01T08:00:00Z", lastUpdatedDateTimeUtc: "2026-11-11T08:00:00Z", errorCode: isRefused ? 401_002 : null, errorMessage: isRefused ? row.refusal : null,
  };
}

function startFault(mock, body, response) {
  if (!body.kind) return fail(response, 422, "invalid", "A fault needs a kind.", "kind");
  mock.faultCount = (mock.faultCount ?? 0) + 1;
  const until = body.seconds ? new Date(Date.now() + body.seconds * 1000).toISOString() : null;
  mock.faults.set(mock.faultCount, { id: mock.faultCount, kind: body.kind, text: body.kind, devices: body.devices, until });
  strike(mock, body.devices, "outage");
  if (until !== null) setTimeout((id) => mock.faults.has(id) && stopFault(mock, id, null), body.seconds * 1000, mock.faultCount);
  return json(response, { id: mock.faultCount });
}

function stopFault(mock, id, response) {
  const fault = mock.faults.get(id);
  if (!fault) return response && fail(response, 404, "notFound", `There is no fault ${id}.`);
  mock.faults.delete(id);
  strike(mock, fault.devices, "ok");
  mock.send("session", {});
  return response && json(response, {});
}

/** Backlogs grow while a fault is on, and drain afterwards, as the rows are moved on. */
function strike(mock, devices, state) {
  const isOn = state === "outage";
  for (const name of devices === "all" ? mock.fleet.devices.keys() : devices) {
    const device = mock.fleet.devices.get(name);
    if (!device || device.row.state === "new") continue;
    Object.assign(device.row, { state, connection: isOn ? "disconnected" : "connected" });
    clearInterval(device.backlogTimer);
    device.backlogTimer = setInterval(() => {
      device.row.backlog = Math.max(0, (device.row.backlog ?? 0) + (isOn ? 3 : -9));
      if (!isOn && device.row.backlog === 0) clearInterval(device.backlogTimer);
      mock.send("delta", { time: iso(mock.fleet.time), devices: [{ id: name, backlog: device.row.backlog }], gone: [], entries: [] });
    }, 500);
    device.backlogTimer.unref?.();
    const entries = [mock.fleet.tell(device, "connection", isOn ? "Disconnected: keep-alive timed out." : "Connected again.")];
    mock.send("delta", { time: iso(mock.fleet.time), devices: [{ id: name, state, connection: device.row.connection }], gone: [], entries });
  }
}
