// Waiting for conditions, never for seconds: a slow machine takes longer and passes all the same.

/** What something may take at most before a test fails, ms. It is no measure: a busy machine with two cores is meant. */
export const PATIENCE = 1000 * Number(process.env.PATIENCE ?? 60);
const LOOK_EVERY = 100;

/**
 * Asks again and again until the answer is true (or anything but false, null and undefined), and gives that answer.
 * `what`: that which is waited for, as the end of a sentence: "the backlog grows".
 */
export async function until(what, ask, { patience = PATIENCE } = {}) {
  const deadline = performance.now() + patience;
  for (;;) {
    let seen;
    try {
      seen = await ask();
    } catch (error) {
      if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`, { cause: error });
    }
    if (seen !== undefined && seen !== null && seen !== false) return seen;
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
}
