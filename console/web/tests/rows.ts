// Rows for tests.

import type { Row } from "../src/api-types.js";

export function row(id: string, members: Partial<Row> = {}): Row {
  return {
    id, hub: "hub", state: "ok", connection: "connected", cargo: null, container: null, place: null, at: null, course: null,
    speed: null, temperature: null, humidity: null, pressure: null, door: null, spark: [], alarms: [], backlog: null,
    lastSeen: null, lastReading: null, firmware: null, certificateDays: null, enrollment: null, refusal: null, profile: null,
    ...members,
  };
}
