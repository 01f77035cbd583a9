// How a device is called and told in a line.

import type { Row } from "./api-types.js";
import { MISSING, type Format } from "./format.js";
import { LOOK_NAMES, look } from "./states.js";

/** The container's number where it is known, the device's ID otherwise. */
export function nameOf(row: Row, format: Format): string {
  return row.container ? format.container(row.container) : row.id;
}

/** An alarm's name as words: `temperatureHigh` is "Temperature high". */
export function alarmText(name: string): string {
  const words = name.replace(/([a-z\d])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What a state means for this device. */
export function stateText(row: Row): string {
  if (row.state === "alarm") return row.alarms.map((alarm) => alarmText(alarm.name)).join(", ") || LOOK_NAMES[look(row)];
  if (row.state === "refused" && row.refusal !== null) return `Refused: ${row.refusal}`;
  return LOOK_NAMES[look(row)];
}

/** One sentence about a device, for a voice. */
export function sentence(row: Row, format: Format): string {
  const parts = [nameOf(row, format), row.cargo, stateText(row)];
  const temperature = format.temperature(row.temperature);
  if (temperature !== MISSING) parts.push(temperature);
  parts.push(row.place ?? (row.at === null ? null : format.position(row.at, 1)));
  return parts.filter((part) => part !== null && part !== "").join(", ");
}

/** A hub's own name: its host's first label, without the domain that all hubs share. */
export function hubLabel(host: string): string {
  return host.split(".")[0] ?? host;
}
