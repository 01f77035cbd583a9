// Whether things may move by themselves: not for people who asked their system for less motion.

let query: MediaQueryList | null = null;

export function isMotionReduced(): boolean {
  query ??= window.matchMedia("(prefers-reduced-motion: reduce)");
  return query.matches;
}
