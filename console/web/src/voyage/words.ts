// Fields of readings in words: name, unit, digits, and the least that their axis shows.

import { alarmText } from "../names.js";

export interface FieldWords {
  name: string;
  unit: string;
  digits: number;
  /** An axis shows at least this much, so that noise does not look like news. */
  least: number;
}

const FIELDS: Record<string, FieldWords> = {
  temperature: { name: "Temperature", unit: "°C", digits: 1, least: 2 },
  humidity: { name: "Relative humidity", unit: "%", digits: 0, least: 10 },
  pressure: { name: "Air pressure", unit: "hPa", digits: 0, least: 10 },
  speed: { name: "Speed", unit: "km/h", digits: 0, least: 10 },
  light: { name: "Light", unit: "lx", digits: 0, least: 10 },
  battery: { name: "Battery", unit: "%", digits: 0, least: 10 },
};

/** In this order charts are shown. */
export const CHARTED = ["temperature", "humidity", "pressure", "speed", "light", "battery"] as const;

export function words(field: string): FieldWords {
  return Object.hasOwn(FIELDS, field) ? (FIELDS[field] as FieldWords) : { name: field, unit: "", digits: 1, least: 1 };
}

const ALARMS: Record<string, string> = {
  bme280Failed: "Climate sensor failed",
  gpsFailed: "GPS receiver failed",
  gpsGone: "No GPS fix",
};

/** An alarm's name for people. */
export function alarmName(name: string): string {
  return Object.hasOwn(ALARMS, name) ? (ALARMS[name] as string) : alarmText(name);
}
