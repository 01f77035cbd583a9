// What goes wrong, as a sentence for a person.

import { ApiError } from "../api.js";

export function said(error: unknown): string {
  if (error instanceof ApiError) {
    const about = error.member === null || error.message.includes(error.member) ? "" : `${error.member}: `;
    return `${about}${error.message}`;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether the server says that what was asked for is not there. */
export function isMissing(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Whether somebody else was first: an entity tag that is not the newest. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 409 || error.status === 412);
}
