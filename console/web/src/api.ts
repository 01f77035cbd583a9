// The server's API, one function a call. Every refusal is an ApiError with the server's own sentence.

import type {
  AlarmSpan, Certificate, Device, Enrollment, EnrollmentGroup, Fault, FaultRequest, Fence, Fleet, Json, JsonObject,
  MethodAnswer, ProvisioningStatus, Registration, Scenario, Series, Session, Story, Tails, TrackPoint, TripReport, Twin, Verdict,
} from "./api-types.js";

/** What the server refused, or that it could not be reached (status 0). */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string,
    readonly member: string | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

type Query = Record<string, string | number | null | undefined>;
type Fetch = typeof globalThis.fetch;

/** A span of time; either end may be open. */
export interface Span {
  from?: string | null;
  to?: string | null;
}

const EXPIRED = "This link has ended: open the one that the program printed when it started.";

export class Api {
  constructor(private readonly fetch: Fetch = (input, init) => globalThis.fetch(input, init)) {}

  session = (): Promise<Session> => this.get("session");
  fleet = (at?: string | null): Promise<Fleet> => this.get("fleet", { at });
  tails = (points = 60, at?: string | null): Promise<Tails> => this.get("tails", { points, at });
  places = (): Promise<{ fences: Fence[] }> => this.get("places");
  stories = (limit = 200): Promise<Story> => this.get("story", { limit });

  device = (id: string): Promise<Device> => this.get(device(id));
  series = (id: string, fields: string[], span: Span = {}, points = 800): Promise<Series> =>
    this.get(`${device(id)}/series`, { fields: fields.join(","), ...span, points });
  track = (id: string, span: Span = {}, points = 2000): Promise<{ points: TrackPoint[] }> =>
    this.get(`${device(id)}/track`, { ...span, points });
  story = (id: string, before?: string | null, limit = 200): Promise<Story> =>
    this.get(`${device(id)}/story`, { before, limit });
  alarms = (id: string, span: Span = {}): Promise<{ spans: AlarmSpan[] }> =>
    this.get(`${device(id)}/alarms`, { ...span });
  trips = (id: string): Promise<{ trips: TripReport[] }> => this.get(`${device(id)}/trips`);
  verify = (id: string): Promise<Verdict> => this.send("POST", `${device(id)}/verify`, {});

  twin = (id: string): Promise<Twin> => this.get(`${device(id)}/twin`);
  patchTwin = (id: string, desired: JsonObject, etag?: string): Promise<Twin> =>
    this.send("PATCH", `${device(id)}/twin`, { properties: { desired }, ...(etag === undefined ? {} : { etag }) });
  method = (id: string, name: string, payload: Json, timeoutSeconds = 30): Promise<MethodAnswer> =>
    this.send("POST", `${device(id)}/methods`, { name, payload, timeoutSeconds });
  message = (id: string, body: string, properties: Record<string, string> = {}): Promise<unknown> =>
    this.send("POST", `${device(id)}/messages`, { body, properties });
  acknowledge = (id: string, alarm: string, by: string): Promise<unknown> =>
    this.send("POST", `${device(id)}/acknowledge`, { alarm, by });

  setDevice = (id: string, status: ProvisioningStatus): Promise<unknown> => this.send("PATCH", device(id), { status });
  removeDevice = (id: string): Promise<unknown> => this.send("DELETE", device(id));
  deprovision = (id: string): Promise<unknown> => this.send("POST", `${device(id)}/deprovision`, {});
  deprovisionMany = (devices: string[] | "all"): Promise<unknown> => this.send("POST", "deprovision", { devices });
  move = (id: string, hub: string): Promise<unknown> => this.send("POST", `${device(id)}/move`, { hub });

  enrollmentGroups = (): Promise<EnrollmentGroup[]> => this.list("enrollment-groups");
  enrollments = (): Promise<Enrollment[]> => this.list("enrollments");
  certificates = (): Promise<Certificate[]> => this.list("certificates");
  registrations = (group?: string): Promise<Registration[]> => this.list("registrations", { group });
  setEnrollmentGroup = (id: string, provisioningStatus: ProvisioningStatus): Promise<unknown> =>
    this.send("PATCH", `enrollment-groups/${encodeURIComponent(id)}`, { provisioningStatus });
  setEnrollment = (id: string, provisioningStatus: ProvisioningStatus): Promise<unknown> =>
    this.send("PATCH", `enrollments/${encodeURIComponent(id)}`, { provisioningStatus });
  removeEnrollment = (id: string): Promise<unknown> => this.send("DELETE", `enrollments/${encodeURIComponent(id)}`);
  removeRegistration = (id: string): Promise<unknown> => this.send("DELETE", `registrations/${encodeURIComponent(id)}`);

  faults = (): Promise<Fault[]> => this.list("faults");
  startFault = (fault: FaultRequest): Promise<{ id: string }> => this.send("POST", "faults", fault);
  stopFault = (id: string): Promise<unknown> => this.send("DELETE", `faults/${encodeURIComponent(id)}`);
  setTime = (time: { speed?: number; isPaused?: boolean }): Promise<unknown> => this.send("POST", "time", time);

  scenario = (): Promise<{ scenario: Scenario | null }> => this.get("scenario");
  steerScenario = (wish: { isStepping?: boolean; isNext?: boolean }): Promise<{ scenario: Scenario | null }> => this.send("POST", "scenario", wish);

  /** Where a device's readings can be downloaded: for a link, not for a call. */
  exportUrl(id: string, kind: "csv" | "jsonl", span: Span = {}): string {
    return url(`${device(id)}/export.${kind}`, { ...span });
  }

  /** A GET of any path beneath /api. */
  get<T>(path: string, query: Query = {}): Promise<T> {
    return this.call<T>(url(path, query), { headers: { accept: "application/json" } });
  }

  /** A call that changes something. */
  send<T>(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
    const headers = { accept: "application/json", "content-type": "application/json" };
    return this.call<T>(url(path), { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  }

  /** A collection: the array itself, or the only array in an object about it. */
  private async list<T>(path: string, query: Query = {}): Promise<T[]> {
    const answer = await this.get<T[] | Record<string, unknown>>(path, query);
    if (Array.isArray(answer)) return answer;
    return (Object.values(answer).find(Array.isArray) as T[] | undefined) ?? [];
  }

  private async call<T>(address: string, init: RequestInit): Promise<T> {
    let response: Response;
    try {
      response = await this.fetch(address, { ...init, credentials: "same-origin" });
    } catch {
      throw new ApiError("The console does not answer: it may have ended.", 0, "away");
    }
    if (!response.ok) throw await refusal(response);
    const text = await response.text();
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }
}

/** The refusal as an error, in the server's words where it has any. */
export async function refusal(response: Response): Promise<ApiError> {
  if (response.status === 401) return new ApiError(EXPIRED, 401, "unauthorized");
  const body = (await response.json().catch(() => null)) as {
    error?: { code?: string; message?: string; member?: string | null };
  } | null;
  const error = body?.error;
  const message = error?.message ?? `The console answered ${response.status} ${response.statusText}.`;
  return new ApiError(message, response.status, error?.code ?? "unknown", error?.member ?? null);
}

function device(id: string): string {
  return `devices/${encodeURIComponent(id)}`;
}

function url(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) search.set(name, String(value));
  }
  const text = search.toString();
  return `api/${path}${text === "" ? "" : `?${text}`}`;
}
