// The store: nothing is lost between a snapshot and the stream.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Delta, Fleet, Row, Session, Story } from "../src/api-types.js";
import { Store } from "../src/store.js";
import { row } from "./rows.js";

const SESSION = { title: "Test", time: { now: "2026-11-12T06:00:00.000Z", speed: null, isPaused: false } } as Session;

/** A server of which a test holds the answers back and pushes the events. */
class Server {
  asked = 0;
  devices: Row[] = [row("a", { temperature: 1 }), row("b")];
  time = "2026-11-12T06:00:00.000Z";
  held: (() => void)[] | null = null;
  failing = false;
  private push: ((text: string) => void) | null = null;
  readonly store: Store;

  constructor() {
    const api = {
      session: async (): Promise<Session> => SESSION,
      stories: async (): Promise<Story> => ({ entries: [], next: null }),
      fleet: async (at?: string | null): Promise<Fleet> => {
        this.asked += 1;
        if (this.failing) throw new Error("The console does not answer.");
        const answer = { time: at ?? this.time, devices: this.devices.map((device) => ({ ...device })) };
        if (this.held !== null) await new Promise<void>((resolve) => this.held?.push(resolve));
        return answer;
      },
    };
    const fetch = (async () => {
      const encoder = new TextEncoder();
      const body = new ReadableStream({ start: (controller) => (this.push = (text) => controller.enqueue(encoder.encode(text))) });
      return new Response(body);
    }) as typeof globalThis.fetch;
    this.store = new Store(api, SESSION, { fetch, retry: { first: 1, longest: 5 } });
  }

  async start(): Promise<void> {
    this.store.start();
    await settled();
  }

  async send(event: string, data: unknown): Promise<void> {
    this.push?.(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    await settled();
  }

  delta(devices: Delta["devices"], more: Partial<Delta> = {}): Promise<void> {
    return this.send("delta", { time: "2026-11-12T06:00:01.000Z", devices, gone: [], entries: [], ...more });
  }
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 8));

test("a snapshot first, then what changed", async () => {
  const server = new Server();
  await server.start();
  assert.equal(server.store.live, "live");
  const told: string[][] = [];
  server.store.subscribe((ids) => told.push([...ids].sort()));
  await server.delta([{ id: "a", temperature: 2 }]);
  assert.equal(server.store.row("a")?.temperature, 2);
  assert.equal(server.store.row("a")?.hub, "hub");
  await server.delta([], { gone: ["b"] });
  assert.equal(server.store.row("b"), undefined);
  assert.deepEqual(told, [["a"], ["b"]]);
  server.store.stop();
});

test("a stream that lagged is made good by a new snapshot", async () => {
  const server = new Server();
  await server.start();
  server.devices = [row("a", { temperature: 7 }), row("c")];
  const states: string[] = [];
  server.store.onStatus(() => states.push(server.store.live));
  await server.send("lagged", { lost: 3 });
  assert.equal(server.asked, 2);
  assert.ok(states.includes("behind"));
  assert.equal(server.store.live, "live");
  assert.deepEqual([...server.store.rows().keys()], ["a", "c"]);
  assert.equal(server.store.row("a")?.temperature, 7);
  server.store.stop();
});

test("what comes while a snapshot is under way is put on top of it", async () => {
  const server = new Server();
  await server.start();
  server.held = [];
  await server.send("lagged", { lost: 1 });
  assert.equal(server.store.live, "behind");
  await server.delta([{ id: "a", temperature: 9 }]);
  for (const answer of server.held) answer();
  await settled();
  assert.equal(server.store.live, "live");
  assert.equal(server.store.row("a")?.temperature, 9);
  server.store.stop();
});

test("a device of which only a part is told is fetched whole", async () => {
  const server = new Server();
  await server.start();
  server.devices = [...server.devices, row("new", { cargo: "Coffee" })];
  await server.delta([{ id: "new", temperature: 3 }]);
  assert.equal(server.store.row("new")?.cargo, "Coffee");
  server.store.stop();
});

test("a snapshot that fails is told and tried again", async () => {
  const server = new Server();
  server.failing = true;
  await server.start();
  assert.equal(server.store.live, "lost");
  assert.equal(server.store.reason, "The console does not answer.");
  server.failing = false;
  await new Promise((resolve) => setTimeout(resolve, 30));
  assert.equal(server.store.live, "live");
  server.store.stop();
});

test("the history stands still while the stream goes on", async () => {
  const server = new Server();
  await server.start();
  server.devices = [row("a", { temperature: -5 })];
  await server.store.show("2026-11-01T00:00:00.000Z");
  assert.equal(server.store.row("a")?.temperature, -5);
  assert.equal(server.store.now(), Date.UTC(2026, 10, 1));
  await server.delta([{ id: "a", temperature: 4 }]);
  assert.equal(server.store.row("a")?.temperature, -5);
  await server.store.show(null);
  assert.equal(server.store.row("a")?.temperature, 4);
  assert.ok(server.store.row("b"));
  server.store.stop();
});

test("a happening is told once, the newest first", async () => {
  const server = new Server();
  await server.start();
  const entry = (time: string, id = 0) => ({ id, device: "a", time, kind: "door", text: "Opened." }) as never;
  await server.delta([], { entries: [entry("2026-11-12T01:00:00Z"), entry("2026-11-12T02:00:00Z")] });
  await server.delta([], { entries: [entry("2026-11-12T02:00:00Z", 7)] });
  assert.deepEqual(server.store.entries.map(({ time }) => time), ["2026-11-12T02:00:00Z", "2026-11-12T01:00:00Z"]);
  server.store.stop();
});
