// Plays the console's server for work on the page: `npm run dev -- --devices 1000`. It serves dist/ under the same
// content security policy, and an API with a fleet that is made up. `startMock` is what tests and benchmarks use.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { fail, json, read } from "./answers.mjs";
import { deviceAnswer } from "./device.mjs";
import { Fleet, iso } from "./fleet.mjs";

const DIST = join(dirname(fileURLToPath(import.meta.url)), "../dist");
const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json", ".txt": "text/plain" };
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * Starts the server. `interval`: ms between deltas, 0 for none but those told by `mock.step()`; `share`: how much of the
 * fleet has news in each; `session`: members that differ.
 */
export async function startMock({ port = 0, interval = 500, share = 0.2, session = {}, dist = DIST, ...options } = {}) {
  const mock = new Mock(new Fleet(options), { share, session, dist });
  const server = createServer((request, response) => {
    mock.serve(request, response).catch((error) => fail(response, 500, "internal", String(error?.stack ?? error)));
  });
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  const ticking = interval > 0 ? setInterval(() => mock.step(interval / 1000), interval) : null;
  mock.url = `http://127.0.0.1:${server.address().port}/`;
  mock.close = () => {
    clearInterval(ticking);
    mock.drop();
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return mock;
}

export class Mock {
  constructor(fleet, { share, session, dist }) {
    Object.assign(this, { fleet, share, changes: session, dist });
    this.streams = new Set();
    this.count = 0;
    this.requests = [];
    this.faults = new Map();
    /** While true every API call is refused, as if the console had ended. */
    this.isAway = false;
    /** While true the page's cookie is that of a console that has ended. */
    this.isEnded = false;
  }

  session() {
    const { fleet } = this;
    return {
      mode: "simulation", title: "Laboratory fleet", version: "0.10.0", readOnly: false, hubs: ["hub-west", "hub-east"],
      idScope: "0ne00000000", telemetry: { isAvailable: true, reason: null },
      can: { twin: true, methods: true, messages: true, enrollments: true, faults: true, time: true, verify: true, scenario: false },
      time: { now: iso(fleet.time), speed: fleet.speed, isPaused: fleet.isPaused },
      history: { first: iso(fleet.start - 21 * 86_400_000), last: iso(fleet.time) },
      ...this.changes,
    };
  }

  /** Lets time pass and tells every stream. */
  step(seconds, share = this.share) {
    this.send("delta", this.fleet.step(seconds, share));
  }

  send(event, data) {
    this.count += 1;
    for (const stream of this.streams) stream.write(`event: ${event}\nid: ${this.count}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  /** Ends every stream; the page comes back by itself. */
  drop() {
    for (const stream of this.streams) stream.end();
    this.streams.clear();
  }

  async serve(request, response) {
    const url = new URL(request.url, "http://localhost");
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    response.setHeader("content-security-policy", POLICY);
    response.setHeader("x-content-type-options", "nosniff");
    response.setHeader("referrer-policy", "no-referrer");
    if (!url.pathname.startsWith("/api/")) return this.asset(url.pathname, response);
    if (this.isEnded) return fail(response, 401, "unauthorized", "The link has ended.");
    if (this.isAway) return fail(response, 503, "away", "The emulator does not answer.");
    const body = await read(request);
    const path = url.pathname.slice(5).split("/").map(decodeURIComponent);
    return this.answer(request.method, path, url.searchParams, body, request, response);
  }

  answer(method, path, query, body, request, response) {
    const { fleet } = this;
    const time = query.has("at") ? Date.parse(query.get("at")) : fleet.time;
    switch (`${method} ${path[0]}`) {
      case "GET session":
        return json(response, this.session());
      case "GET fleet":
        return json(response, { time: iso(time), devices: fleet.rows(time) });
      case "GET live":
        return this.live(request, response);
      case "GET tails":
        return json(response, { tails: this.tails(Number(query.get("points") ?? 60), time) });
      case "GET places":
        return json(response, { fences: FENCES });
      case "GET story":
        return json(response, { entries: [...fleet.devices.values()].flatMap(({ story }) => story).slice(0, 200), next: null });
      case "POST time":
        fleet.speed = body.speed ?? fleet.speed;
        fleet.isPaused = body.isPaused ?? fleet.isPaused;
        this.send("session", {});
        return json(response, {});
      default:
        return deviceAnswer(this, method, path, query, body, response);
    }
  }

  live(request, response) {
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(": hello\n\n");
    this.streams.add(response);
    const comments = setInterval(() => response.write(": still here\n\n"), 10_000);
    response.on("close", () => {
      clearInterval(comments);
      this.streams.delete(response);
    });
  }

  tails(points, time) {
    const tails = {};
    for (const id of this.fleet.devices.keys()) {
      const track = this.fleet.track(id, points, { to: time });
      if (track.length > 0) tails[id] = track.map((point) => point && point.slice(0, 2));
    }
    return tails;
  }

  asset(path, response) {
    const name = path === "/" ? "index.html" : path.slice(1);
    if (!/^[a-z.]+$/.test(name)) return fail(response, 404, "notFound", "There is no such file.");
    try {
      const bytes = readFileSync(join(this.dist, `${name}.gz`));
      response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream", "content-encoding": "gzip" });
      response.end(bytes);
    } catch {
      fail(response, 404, "notFound", "There is no such file.");
    }
    return undefined;
  }
}

const FENCES = [
  { device: null, name: "Maasvlakte", geometry: { type: "Polygon", coordinates: [[[3.98, 51.93], [4.06, 51.93], [4.09, 51.97], [4.02, 51.99], [3.97, 51.97], [3.98, 51.93]]] }, radius: null },
  { device: null, name: "Los Angeles, Pier 400", geometry: { type: "Point", coordinates: [-118.25, 33.73] }, radius: 2500 },
  { device: null, name: "Tuas", geometry: { type: "Point", coordinates: [103.63, 1.25] }, radius: 4000 },
  { device: "tracker-002", name: "Cape Town", geometry: { type: "Point", coordinates: [18.43, -33.91] }, radius: 3000 },
];

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "8090" },
      devices: { type: "string", default: "40" },
      speed: { type: "string", default: "0.5" },
      hostile: { type: "boolean", default: false },
    },
  });
  const mock = await startMock({ port: Number(values.port), count: Number(values.devices), speed: Number(values.speed), hostile: values.hostile });
  console.log(`${mock.url} with ${values.devices} devices`);
}
