// One container's twin as the page's parts share it, fetched anew while an answer is awaited.

import type { App } from "../app.js";
import type { JsonObject, Twin } from "../api-types.js";
import type { Life } from "../parts/life.js";
import { said } from "../parts/said.js";
import { isPending } from "./twin/answers.js";

const ANSWER_MS = [500, 500, 1000, 1000, 2000, 3000, 5000, 10_000];

export class HeldTwin {
  twin: Twin | null = null;
  /** Why there is none, as a sentence. */
  fault: string | null = null;
  private readonly listeners: (() => void)[] = [];
  private waits = 0;
  private isWaiting = false;

  constructor(private readonly app: App, private readonly id: string, private readonly life: Life) {
    life.add(
      app.store.onEntries((entries) => {
        if (entries.some((entry) => entry.device === id && entry.kind === "twin")) void this.fetch();
      }),
    );
  }

  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  async fetch(): Promise<void> {
    try {
      const twin = await this.app.api.twin(this.id);
      if (this.life.isOver) return;
      this.fault = null;
      this.take(twin);
    } catch (error) {
      if (this.life.isOver) return;
      this.fault = said(error);
      this.tell();
    }
  }

  /** Sets what the patch says, if the twin is still the one that was read. */
  async save(patch: JsonObject, etag: string): Promise<void> {
    const twin = await this.app.api.patchTwin(this.id, patch, etag);
    if (this.life.isOver) return;
    this.waits = 0;
    this.take(twin);
  }

  private take(twin: Twin): void {
    this.twin = twin;
    this.tell();
    if (!isPending(twin) || this.isWaiting) return;
    const ms = ANSWER_MS[Math.min(this.waits, ANSWER_MS.length - 1)] ?? 10_000;
    this.waits += 1;
    this.isWaiting = true;
    this.life.after(ms, () => {
      this.isWaiting = false;
      void this.fetch();
    });
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
