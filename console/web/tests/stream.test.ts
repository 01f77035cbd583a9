// The stream of events: whatever pieces it comes in, whatever ends it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EventParser, openStream, type StreamEvent } from "../src/stream.js";

const TEXT = ": hello\n\nevent: delta\nid: 1\ndata: {\"a\":\ndata: 1}\n\nevent: lagged\r\nid: 2\r\ndata: {}\r\n\r\ndata: plain\n\n";

test("events are the same in pieces of any size", () => {
  const whole = new EventParser().push(TEXT);
  assert.deepEqual(whole, [
    { id: "1", event: "delta", data: '{"a":\n1}' },
    { id: "2", event: "lagged", data: "{}" },
    { id: "2", event: "message", data: "plain" },
  ]);
  for (const size of [1, 2, 3, 7, 20]) {
    const parser = new EventParser();
    const events: StreamEvent[] = [];
    for (let at = 0; at < TEXT.length; at += size) events.push(...parser.push(TEXT.slice(at, at + size)));
    assert.deepEqual(events, whole, `pieces of ${size}`);
  }
});

test("an event without data is none, and leaves nothing behind", () => {
  const parser = new EventParser();
  assert.deepEqual(parser.push("event: session\n\ndata: x\n\n"), [{ id: null, event: "message", data: "x" }]);
});

test("a stream that ends is opened again, from the last event on", async () => {
  const asked: (string | null)[] = [];
  const fetch = (async (_: unknown, init: RequestInit) => {
    asked.push(new Headers(init.headers).get("last-event-id"));
    return new Response(`event: delta\nid: ${asked.length}\ndata: {}\n\n`);
  }) as typeof globalThis.fetch;
  await new Promise<void>((resolve) => {
    const close = openStream("api/live", {
      opened: () => undefined,
      event: () => {
        if (asked.length < 3) return;
        close();
        resolve();
      },
      lost: () => undefined,
    }, { fetch, retry: { first: 1, longest: 2 } });
  });
  assert.deepEqual(asked, [null, "1", "2"]);
});

test("a stream without a byte for too long counts as dead", async () => {
  const fetch = (async (_: unknown, init: RequestInit) => {
    const body = new ReadableStream({
      start(controller) {
        init.signal?.addEventListener("abort", () => controller.error(new Error("aborted")));
      },
    });
    return new Response(body);
  }) as typeof globalThis.fetch;
  const reason = await new Promise<string>((resolve) => {
    const close = openStream("api/live", {
      opened: () => undefined,
      event: () => undefined,
      lost: (text) => {
        close();
        resolve(text);
      },
    }, { fetch, silence: 20 });
  });
  assert.equal(reason, "The console has been silent for too long.");
});

test("a link that has ended is told from a console that is away", async () => {
  const reasonOf = (fetch: typeof globalThis.fetch): Promise<string> =>
    new Promise((resolve) => {
      const close = openStream("api/live", {
        opened: () => undefined, event: () => undefined,
        lost: (text) => {
          close();
          resolve(text);
        },
      }, { fetch });
    });
  assert.match(await reasonOf(async () => new Response("", { status: 401 })), /^This link has ended/);
  assert.equal(await reasonOf(async () => Promise.reject(new TypeError("refused"))), "The console does not answer.");
});
