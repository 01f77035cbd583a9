// The kinds of trouble, and what an agent should do about each.

import type { FaultRequest } from "../api-types.js";

export type Kind = FaultRequest["kind"];

export const KINDS: readonly { kind: Kind; name: string; happens: string }[] = [
  { kind: "blackHole", name: "Black hole", happens: "Packets arrive and nothing comes of them: no acknowledgement, no answer. Agents keep their readings, see that the connection is dead, and connect anew until it is gone." },
  { kind: "latency", name: "Latency", happens: "Every packet arrives that much later, as over a bad satellite link. Agents wait longer for acknowledgements; nothing is lost." },
  { kind: "throttle", name: "Throttling", happens: "Who publishes faster is disconnected by the hub, and answered 429 by the provisioning service. Agents slow down and come back." },
  { kind: "hubGone", name: "Hub gone", happens: "The hub lets nobody in. Agents keep their readings, try again with growing patience, and after a while ask the provisioning service for another hub." },
];

export function kindName(kind: string | null | undefined): string {
  return KINDS.find((known) => known.kind === kind)?.name ?? "Another fault";
}

export interface Wish {
  kind: Kind;
  devices: string[] | "all";
  seconds: string;
  latencyMs: string;
  perSecond: string;
  hub: string;
}

/** What is sent for what was filled in; else a sentence. */
export function request(wish: Wish): { value: FaultRequest } | { error: string } {
  if (wish.devices !== "all" && wish.devices.length === 0) return { error: "Choose whom it strikes: devices, or all of them." };
  const value: FaultRequest = { kind: wish.kind, devices: wish.devices };
  if (wish.seconds.trim() !== "") {
    const seconds = Number(wish.seconds);
    if (!Number.isInteger(seconds) || seconds < 1 || seconds > 86_400) return { error: "For how long: a whole number of seconds from 1 to 86400, or nothing at all." };
    value.seconds = seconds;
  }
  if (wish.kind === "latency") {
    const latency = Number(wish.latencyMs);
    if (!Number.isInteger(latency) || latency < 1 || latency > 600_000) return { error: "Latency: a whole number of milliseconds from 1 to 600000." };
    value.latencyMs = latency;
  }
  if (wish.kind === "throttle") {
    const rate = Number(wish.perSecond);
    if (!Number.isInteger(rate) || rate < 1 || rate > 100_000) return { error: "Allowed: a whole number of messages a second, 1 or more." };
    value["perSecond"] = rate;
  }
  if (wish.kind === "hubGone" && wish.hub !== "") value["hub"] = wish.hub;
  return { value };
}
