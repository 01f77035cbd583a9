// The console's pages by their address after the hash.

import type { Mount } from "./app.js";
import { mount as device } from "./device/page.js";
import { mount as enrollment } from "./enrollment/page.js";
import { mount as fleet } from "./fleet/page.js";
import { mount as report } from "./report/page.js";
import { mount as trouble } from "./trouble/page.js";

export interface Route {
  /** Groups are handed to the page, decoded. */
  pattern: RegExp;
  title(parameters: string[]): string;
  mount: Mount;
}

export const ROUTES: readonly Route[] = [
  { pattern: /^\/?$/, title: () => "Fleet", mount: fleet },
  { pattern: /^\/device\/([^/]+)$/, title: ([id]) => id ?? "", mount: device },
  { pattern: /^\/device\/([^/]+)\/report(?:\/([^/]+))?$/, title: ([id]) => `Voyage report ${id ?? ""}`, mount: report },
  { pattern: /^\/enrollment$/, title: () => "Enrollment", mount: enrollment },
  { pattern: /^\/trouble$/, title: () => "Trouble", mount: trouble },
];

export interface Found {
  route: Route;
  parameters: string[];
}

/** The page for an address like `#/device/tracker-1`; null where there is none. */
export function find(hash: string, routes: readonly Route[] = ROUTES): Found | null {
  const path = hash.replace(/^#/, "");
  for (const route of routes) {
    const match = route.pattern.exec(path);
    if (match) return { route, parameters: match.slice(1).map((part) => decode(part)) };
  }
  return null;
}

function decode(part: string | undefined): string {
  try {
    return decodeURIComponent(part ?? "");
  } catch {
    return part ?? "";
  }
}
