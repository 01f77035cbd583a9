// What the server's API gives and takes: the same names as in console/openapi.json. Times are RFC 3339, UTC, unless a
// member says otherwise; a value that is not known is null.

export type State = "ok" | "alarm" | "silent" | "refused" | "outage" | "disabled" | "new";
export type Connection = "connected" | "disconnected" | "never";
export type Severity = "warning" | "critical";
/** Longitude and latitude in degrees, WGS 84. */
export type Position = [lon: number, lat: number];

export interface Session {
  mode: "simulation" | "emulator" | "hub";
  title: string;
  version: string;
  readOnly: boolean;
  hubs: string[];
  idScope: string | null;
  telemetry: { isAvailable: boolean; reason: string | null };
  /** Why what is behind the console does not answer; null where it does. */
  away?: string | null;
  /** What is wrong with the history, in a sentence. */
  historyTrouble?: string | null;
  can: Record<"twin" | "methods" | "messages" | "enrollments" | "faults" | "time" | "verify" | "scenario", boolean>;
  /** speed: simulated hours in a second; null where time is nobody's to set. */
  time: { now: string; speed: number | null; isPaused: boolean };
  /** What the history holds; absent where the server does not say. */
  history?: { first: string; last: string } | null;
}

export interface Alarm {
  name: string;
  severity: Severity;
  since: string;
  isAcknowledged: boolean;
  by: string | null;
}

export interface Profile {
  name: string;
  low: number | null;
  high: number | null;
}

/** One device, as the list and the map show it. */
export interface Row {
  id: string;
  hub: string | null;
  state: State;
  connection: Connection;
  cargo: string | null;
  /** The container's number by ISO 6346. */
  container: string | null;
  place: string | null;
  at: Position | null;
  /** Degrees from north. */
  course: number | null;
  /** km/h */
  speed: number | null;
  /** °C */
  temperature: number | null;
  /** % relative humidity */
  humidity: number | null;
  /** hPa */
  pressure: number | null;
  door: string | boolean | null;
  /** Mean temperatures over the last 24 hours of data time, oldest first. */
  spark: (number | null)[];
  alarms: Alarm[];
  /** Readings that wait in the journal. */
  backlog: number | null;
  lastSeen: string | null;
  lastReading: string | null;
  firmware: string | null;
  certificateDays: number | null;
  enrollment: string | null;
  refusal: string | null;
  profile: Profile | null;
}

export interface Fleet {
  time: string;
  devices: Row[];
}

export type StoryKind =
  | "provisioning" | "refusal" | "connection" | "takeover" | "alarm" | "place" | "door" | "twin" | "trip" | "silence"
  | "fault" | "operator";

export interface StoryEntry {
  id: string | number;
  device: string;
  time: string;
  kind: StoryKind;
  text: string;
  severity: Severity | null;
  alarm: string | null;
  state: string | null;
  begin: string | null;
  extreme: number | null;
  limit: number | null;
  at: Position | null;
}

export interface Story {
  entries: StoryEntry[];
  next: string | null;
}

/** A row's members that changed, beside its ID. */
export type RowDelta = Pick<Row, "id"> & Partial<Row>;

export interface Delta {
  time: string;
  devices: RowDelta[];
  gone: string[];
  entries: StoryEntry[];
}

export interface Tails {
  tails: Record<string, (Position | null)[]>;
}

export interface Fence {
  device: string | null;
  name: string;
  geometry: Geometry;
  /** Metres, where the geometry is a point. */
  radius: number | null;
}

export type Geometry =
  | { type: "Point"; coordinates: Position }
  | { type: "Polygon"; coordinates: Position[][] }
  | { type: "MultiPolygon"; coordinates: Position[][][] };

/** A device's identity at its hub. */
export interface Identity {
  id: string;
  hub: string;
  isEnabled: boolean;
  connection: Connection;
  lastActivity: string | null;
  messagesWaiting: number | null;
  /** `selfSigned`, `certificateAuthority`, `sas` or `none`. */
  authentication: string;
  thumbprints: string[];
  [member: string]: unknown;
}

export interface Registration {
  registrationId: string;
  status: string;
  assignedHub: string | null;
  createdDateTimeUtc: string | null;
  lastUpdatedDateTimeUtc: string | null;
  errorCode: number | null;
  errorMessage: string | null;
  [member: string]: unknown;
}

export interface Device {
  row: Row;
  identity: Identity | null;
  registration: Registration | null;
  fields: string[];
  first: string | null;
  last: string | null;
}

/** Times in seconds since 1970; a gap is a time with null in all three. */
export interface SeriesField {
  t: number[];
  min: (number | null)[];
  mean: (number | null)[];
  max: (number | null)[];
}

export interface Series {
  from: string;
  to: string;
  /** Seconds. */
  step: number;
  fields: Record<string, SeriesField>;
}

/** Third: seconds since 1970. Null is a gap. */
export type TrackPoint = [lon: number, lat: number, time: number] | null;

export interface AlarmSpan {
  name: string;
  severity: Severity;
  begin: string;
  end: string | null;
  extreme: number | null;
  limit: number | null;
  field: string | null;
}

export type Json = null | boolean | number | string | Json[] | { [member: string]: Json };
export type JsonObject = { [member: string]: Json };

export interface Twin {
  deviceId: string;
  etag: string;
  version?: number;
  properties: { desired: JsonObject; reported: JsonObject };
  [member: string]: unknown;
}

export interface MethodAnswer {
  status: number;
  payload: Json;
}

/** A trip's statement as the device made it, and whether it is under way. */
export type TripReport = JsonObject & { isUnderWay?: boolean };

export interface Verdict {
  verdict: "untouched" | "changed" | "unsigned" | "noEvidence";
  lines: string[];
}

export type ProvisioningStatus = "enabled" | "disabled";

export interface EnrollmentGroup {
  enrollmentGroupId: string;
  provisioningStatus: ProvisioningStatus;
  etag: string | null;
  [member: string]: unknown;
}

export interface Enrollment {
  registrationId: string;
  provisioningStatus: ProvisioningStatus;
  etag: string | null;
  deviceId: string | null;
  [member: string]: unknown;
}

export interface Certificate {
  name: string;
  [member: string]: unknown;
}

export interface Fault {
  id: number | string;
  /** Null for a fault that was asked for elsewhere and is none of these kinds. */
  kind: string | null;
  devices: string[] | "all";
  text: string;
  /** When it ends by itself, by the console's computer. */
  until: string | null;
  [member: string]: unknown;
}

export interface FaultRequest {
  kind: "blackHole" | "latency" | "throttle" | "hubGone";
  devices: string[] | "all";
  seconds?: number;
  latencyMs?: number;
  [member: string]: Json | undefined;
}

/** A story that is played step by step. */
export interface Scenario {
  title: string;
  steps: ScenarioStep[];
  /** Each step waits until somebody goes on. */
  isStepping: boolean;
  /** The last one waits now. */
  isWaiting: boolean;
  verdict: string | null;
}

export interface ScenarioStep {
  number: number;
  title: string;
  expected: string;
  seen: string | null;
  isAsExpected: boolean | null;
  seconds: number | null;
}
