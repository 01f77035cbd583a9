// A length that is easy to read, for the bar beneath a picture of the world.

const STEPS = [1, 2, 5];

/** The longest round length (metres) that is no longer than so many metres. */
export function roundLength(most: number): number {
  if (!(most > 0) || !Number.isFinite(most)) return 0;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = STEPS.findLast((candidate) => candidate * power <= most) ?? 1;
  return step * power;
}
