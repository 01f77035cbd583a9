// Server-sent events over fetch. The browser's EventSource would do, but for two things it hides: the status of a refusal
// (a link that has ended is not a server that is away), and the comments that tell a quiet stream from a dead one.

import { refusal } from "./api.js";

const SILENT = "The console has been silent for too long.";

export interface StreamEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Takes the stream's text in pieces of any size and gives whole events. */
export class EventParser {
  private rest = "";
  private id: string | null = null;
  private event = "message";
  private data: string[] = [];

  push(text: string): StreamEvent[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    const events: StreamEvent[] = [];
    for (const line of lines) {
      if (line !== "") this.field(line);
      else if (this.data.length > 0) events.push(this.take());
      else this.event = "message";
    }
    return events;
  }

  private field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.data.push(value);
    else if (name === "event") this.event = value;
    else if (name === "id" && !value.includes("\0")) this.id = value;
  }

  private take(): StreamEvent {
    const event = { id: this.id, event: this.event, data: this.data.join("\n") };
    this.event = "message";
    this.data = [];
    return event;
  }
}

export interface StreamHandler {
  opened(): void;
  event(event: StreamEvent): void;
  /** The stream ended or never began; it is tried again after `retryMs`. */
  lost(reason: string, retryMs: number): void;
}

export interface StreamOptions {
  fetch?: typeof globalThis.fetch;
  /** Milliseconds without a byte, comments included, after which the stream counts as dead. */
  silence?: number;
  /** First and longest wait before another try, ms. */
  retry?: { first: number; longest: number };
}

/** Reads `address` for good, until the function it returns is called. */
export function openStream(address: string, handler: StreamHandler, options: StreamOptions = {}): () => void {
  const silence = options.silence ?? 25_000;
  const retry = options.retry ?? { first: 500, longest: 10_000 };
  const fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  let lastId: string | null = null;
  let isClosed = false;
  let abort = new AbortController();

  const read = async (): Promise<void> => {
    let wait = retry.first;
    while (!isClosed) {
      abort = new AbortController();
      const reason = await once(abort, () => (wait = retry.first)).catch((error: unknown) =>
        error instanceof Error ? error.message : String(error),
      );
      if (isClosed) return;
      handler.lost(reason, wait);
      await new Promise((resolve) => setTimeout(resolve, wait));
      wait = Math.min(wait * 2, retry.longest);
    }
  };

  const once = async (abort: AbortController, opened: () => void): Promise<string> => {
    let watchdog = setTimeout(() => abort.abort(), silence);
    try {
      const headers = { accept: "text/event-stream", ...(lastId === null ? {} : { "Last-Event-ID": lastId }) };
      const response = await fetch(address, { headers, signal: abort.signal, credentials: "same-origin", cache: "no-store" });
      if (!response.ok || response.body === null) return (await refusal(response)).message;
      opened();
      handler.opened();
      const parser = new EventParser();
      const decoder = new TextDecoder();
      const reader = response.body.getReader();
      abort.signal.addEventListener("abort", () => void reader.cancel().catch(() => undefined));
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return abort.signal.aborted ? SILENT : "The console closed the stream.";
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), silence);
        for (const event of parser.push(decoder.decode(value, { stream: true }))) {
          lastId = event.id ?? lastId;
          handler.event(event);
        }
      }
    } catch {
      return abort.signal.aborted ? SILENT : "The console does not answer.";
    } finally {
      clearTimeout(watchdog);
    }
  };

  void read();
  return () => {
    isClosed = true;
    abort.abort();
  };
}
