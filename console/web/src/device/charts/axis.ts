// What stands at the time axis: local time, and UTC beneath it where the two differ.

export interface AxisLabels {
  (splits: number[], spacing: number): string[];
}

/** Labels for times in seconds since 1970 that lie `spacing` seconds apart. */
export function timeLabels(locale?: string, timeZone?: string): AxisLabels {
  const zone = timeZone === undefined ? {} : { timeZone };
  const format = (options: Intl.DateTimeFormatOptions, at: Intl.DateTimeFormatOptions = zone): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(locale, { ...options, ...at });
  const day = format({ day: "numeric", month: "short" });
  const month = format({ month: "short", year: "numeric" });
  const minute = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const second = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const utc = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, { timeZone: "UTC" });

  return (splits, spacing) => {
    let before = "";
    return splits.map((time) => {
      const date = new Date(time * 1000);
      if (Number.isNaN(date.getTime())) return "";
      if (spacing >= 28 * 86_400) return month.format(date);
      const today = day.format(date);
      const clock = (spacing < 60 ? second : minute).format(date);
      const isUtc = minute.format(date) === utc.format(date);
      const beneath = isUtc ? "" : `${utc.format(date)} UTC`;
      if (spacing >= 86_400) return beneath === "" ? today : `${today}\n${beneath}`;
      const first = today === before ? clock : `${today} ${clock}`;
      before = today;
      return beneath === "" ? first : `${first}\n${beneath}`;
    });
  };
}

/** The zone's name beside the axis: "Central European Time", or UTC. */
export function zoneName(locale?: string, timeZone?: string, at = new Date()): string {
  const zone = timeZone === undefined ? {} : { timeZone };
  const parts = new Intl.DateTimeFormat(locale, { timeZoneName: "short", ...zone }).formatToParts(at);
  return parts.find((part) => part.type === "timeZoneName")?.value ?? "local time";
}
