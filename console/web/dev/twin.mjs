// The mock's twins: properties are answered as the agent does, a while after they were set.

import { fail, json } from "./answers.mjs";

const ANSWER_MS = 700;

export function twin(mock, device) {
  if (device.twin) return device.twin;
  const { row } = device;
  const { low, high } = row.profile;
  const desired = {
    telemetryInterval: 300,
    alarms: { profile: row.profile.name, bounds: { temperature: { field: "temperature", warning: { low, high, delay: 1800 }, critical: { low: low - 1, high: high + 3, delay: 3600 }, hysteresis: 0.5, clear: 600 } }, doorOpened: { from: 22, to: 6 } },
    evidence: true,
    delivery: { batchBacklog: true, gzip: true, sparkles: 4 },
  };
  const answered = (value, ac, ad) => ({ value, ac, av: 4, ad });
  device.twin = {
    deviceId: row.id, etag: '"AAAAAAAAAAQ="', version: 14, tags: { environment: "lab", customer: "Kaas & Zn." },
    properties: {
      desired: { ...desired, $metadata: metadata(desired, 4), $version: 4 },
      reported: {
        telemetryInterval: answered(300, 200, "applied"),
        alarms: answered(desired.alarms, 200, "applied"),
        evidence: answered(true, 200, "applied"),
        delivery: answered({ batchBacklog: true, gzip: false }, 400, "unknown field `sparkles`, expected one of `batchBacklog`, `gzip`, `compact`, `fullProperties`"),
        firmware: { value: row.firmware, ac: 203, av: 0, ad: "never set; this is the version installed" },
        journal: { state: "ok", waiting: row.backlog }, takenOver: false, $version: 9,
      },
    },
  };
  return device.twin;
}

export function patchTwin(mock, device, body, response) {
  const held = twin(mock, device);
  if (body.etag && body.etag !== held.etag) return fail(response, 412, "preconditionFailed", "The twin has been changed meanwhile: read it again.", "etag");
  const { desired } = held.properties;
  desired.$version += 1;
  held.etag = `"${desired.$version}"`;
  const patch = body.properties?.desired ?? {};
  merge(desired, patch);
  for (const name of Object.keys(patch)) {
    if (patch[name] === null) delete desired.$metadata[name];
    else desired.$metadata[name] = { $lastUpdatedVersion: desired.$version };
  }
  if (device.row.connection === "connected") setTimeout(() => answer(mock, device, Object.keys(patch)), ANSWER_MS);
  return json(response, held);
}

function answer(mock, device, names) {
  const { desired, reported } = device.twin.properties;
  for (const name of names) {
    const wish = desired[name];
    const isInterval = name === "telemetryInterval";
    const isGood = wish !== undefined && (!isInterval || (Number.isInteger(wish) && wish >= 1 && wish <= 86_400));
    const says = isGood ? "applied" : wish === undefined ? "it was taken away; what was in force stays" : `${JSON.stringify(wish)} is not a whole number of seconds from 1 to 86400`;
    reported[name] = { value: isGood ? wish : (reported[name]?.value ?? null), ac: isGood ? 200 : 400, av: desired.$version, ad: says };
  }
  mock.fleet.tell(device, "twin", `Answered ${names.join(", ")}.`);
}

function merge(target, patch) {
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete target[name];
    else if (typeof value === "object" && !Array.isArray(value)) {
      if (typeof target[name] !== "object" || Array.isArray(target[name])) target[name] = {};
      merge(target[name], value);
    } else target[name] = value;
  }
}

function metadata(desired, version) {
  return Object.fromEntries(Object.keys(desired).map((name) => [name, { $lastUpdatedVersion: version }]));
}
