// What every page of the console is given.

import type { Api } from "./api.js";
import type { Session } from "./api-types.js";
import type { Format } from "./format.js";
import type { Store } from "./store.js";

export interface App {
  readonly api: Api;
  readonly store: Store;
  /** The newest word of the server about itself: read it anew when `store.onStatus` calls. */
  readonly session: Session;
  readonly format: Format;
  /** Goes to a page: `#/device/ID`. */
  navigate(hash: string): void;
  /** Says something to the person, who may be listening instead of looking. */
  notify(text: string, kind?: "info" | "error"): void;
}

/** A page: builds itself into `root` and returns what takes it down again. */
export type Mount = (root: HTMLElement, app: App, parameters: string[]) => () => void;
