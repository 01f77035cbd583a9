// Numbers and times in the browser's language, with UTC beside local time. A value that is missing or not a number is a dash.

export const MISSING = "–";

/** Clocks that were never set count from 1970; nothing of this fleet is older than this. */
const FIRST_TRUE_TIME = Date.UTC(2000, 0, 1);

type Time = string | number | Date | null | undefined;
type Value = number | null | undefined;

export class Format {
  private readonly numbers = new Map<number, Intl.NumberFormat>();
  private readonly local: Intl.DateTimeFormat;
  private readonly universal: Intl.DateTimeFormat;
  private readonly localDay: Intl.DateTimeFormat;
  private readonly localClock: Intl.DateTimeFormat;
  private readonly universalDay: Intl.DateTimeFormat;
  private readonly universalClock: Intl.DateTimeFormat;
  private readonly relative: Intl.RelativeTimeFormat;

  constructor(readonly locale?: string, readonly timeZone?: string) {
    const moment = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" } as const;
    const zone = timeZone === undefined ? {} : { timeZone };
    this.local = new Intl.DateTimeFormat(locale, { ...moment, ...zone });
    this.universal = new Intl.DateTimeFormat(locale, { ...moment, timeZone: "UTC" });
    this.localDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", ...zone });
    this.localClock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", ...zone });
    this.universalDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
    this.universalClock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
    this.relative = new Intl.RelativeTimeFormat(locale, { numeric: "always", style: "short" });
  }

  number(value: Value, digits = 0): string {
    if (!isNumber(value)) return MISSING;
    let format = this.numbers.get(digits);
    if (format === undefined) {
      format = new Intl.NumberFormat(this.locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
      this.numbers.set(digits, format);
    }
    // Minus zero is zero to a reader.
    const text = format.format(value);
    return /^-0([.,]0*)?$/.test(text) ? format.format(0) : text;
  }

  /** A number and its unit, kept on one line. */
  quantity(value: Value, unit: string, digits = 1): string {
    return isNumber(value) ? `${this.number(value, digits)}\u00a0${unit}` : MISSING;
  }

  temperature = (value: Value): string => this.quantity(value, "°C", 1);
  humidity = (value: Value): string => this.quantity(value, "%", 1);
  pressure = (value: Value): string => this.quantity(value, "hPa", 1);
  speed = (value: Value): string => this.quantity(value, "km/h", 1);
  days = (value: Value): string => (isNumber(value) ? this.number(Math.floor(value)) : MISSING);

  /** Local time; a clock that was never set is said to be so. */
  time(value: Time): string {
    return this.formatted(value, this.local);
  }

  utc(value: Time): string {
    const text = this.formatted(value, this.universal);
    return text.includes(" ") && milliseconds(value) !== null ? `${text} UTC` : text;
  }

  /** UTC for a place beside local time: without the day where it is the same. */
  utcBeside(value: Time): string {
    const [time, day] = [milliseconds(value), this.day(value)];
    if (time === null || time < FIRST_TRUE_TIME || day !== this.universalDay.format(time)) return this.utc(value);
    return `${this.universalClock.format(time)} UTC`;
  }

  /** Local time with UTC beside it. */
  both(value: Time): string {
    const time = milliseconds(value);
    return time === null || time < FIRST_TRUE_TIME ? this.time(value) : `${this.time(value)} (${this.utcBeside(value)})`;
  }

  /** Local time of day. */
  clock(value: Time): string {
    return this.formatted(value, this.localClock);
  }

  day(value: Time): string {
    return this.formatted(value, this.localDay);
  }

  /** How long ago, by the fleet's own time `now` (ms). */
  ago(value: Time, now: number): string {
    const time = milliseconds(value);
    if (time === null) return MISSING;
    if (time < FIRST_TRUE_TIME) return "clock not set";
    const seconds = Math.round((time - now) / 1000);
    if (Math.abs(seconds) < 10) return "now";
    for (const [unit, length] of UNITS) {
      if (Math.abs(seconds) >= length) return this.relative.format(Math.trunc(seconds / length), unit);
    }
    return "now";
  }

  /** A length of time in its two greatest units. */
  duration(seconds: Value): string {
    if (!isNumber(seconds)) return MISSING;
    const whole = Math.round(Math.abs(seconds));
    const parts: string[] = [];
    let rest = whole;
    for (const [name, length] of [["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]] as const) {
      const count = Math.floor(rest / length);
      rest -= count * length;
      if (count > 0) parts.push(`${this.number(count)}\u00a0${name}`);
      if (parts.length === 2) break;
    }
    return parts.length === 0 ? `0\u00a0s` : parts.join(" ");
  }

  /** 51.9496° N, 4.1453° E */
  position(at: readonly [number, number] | null | undefined, digits = 4): string {
    if (!at || !isNumber(at[0]) || !isNumber(at[1])) return MISSING;
    const part = (value: number, positive: string, negative: string): string =>
      `${this.number(Math.abs(value), digits)}°\u00a0${value < 0 ? negative : positive}`;
    return `${part(at[1], "N", "S")}, ${part(at[0], "E", "W")}`;
  }

  /** A container's number as it is painted on the door: MSKU 907032 3. */
  container(number: string | null | undefined): string {
    if (!number) return MISSING;
    const match = /^([A-Z]{4})(\d{6})(\d)$/.exec(number);
    return match ? `${match[1]} ${match[2]} ${match[3]}` : number;
  }

  private formatted(value: Time, format: Intl.DateTimeFormat): string {
    const time = milliseconds(value);
    if (time === null) return MISSING;
    return time < FIRST_TRUE_TIME ? "clock not set" : format.format(time);
  }
}

const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1],
];

/** Whether a value is a number that can be shown. */
export function isNumber(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

function milliseconds(value: Time): number | null {
  if (value === null || value === undefined) return null;
  const time = typeof value === "string" ? Date.parse(value) : Number(value);
  return Number.isFinite(time) ? time : null;
}
