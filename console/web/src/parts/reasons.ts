// Why a control is not there: the link may only look, or what is behind the console can't do it.

import type { Session } from "../api-types.js";

type Ability = keyof Session["can"];

const UNABLE: Record<Ability, string> = {
  twin: "Desired properties can't be set through this console.",
  methods: "Direct methods can't be called through this console.",
  messages: "Messages can't be sent to devices through this console.",
  enrollments: "There is no provisioning service behind this console that it could work with.",
  faults: "Trouble can be made only at the emulator: a real hub has no faults on demand.",
  time: "Time is real here: it can't be made faster or slower.",
  verify: "The tamper check needs the messages as they came, which this console does not keep.",
  scenario: "No story is played here: start one with simulate --scenario lifecycle.",
};

/** Null where it can be done, else the sentence. */
export function reason(session: Session, ability: Ability): string | null {
  if (session.readOnly) return "This link is read only: it shows everything and changes nothing.";
  return session.can[ability] ? null : UNABLE[ability];
}
