// Whether things may move by themselves: not for people who asked their system for less motion.

const reduced = window.matchMedia("(prefers-reduced-motion: reduce)");

export function isMotionReduced(): boolean {
  return reduced.matches;
}
