// Tests that tell a story: each begins where the one before has ended, so that after a failure the rest would only wait in
// vain, and is left out.

import { test } from "node:test";

/** Gives a function like `test` of node:test, for the steps of one story. */
export function story() {
  let failed = null;
  return (name, act) =>
    test(name, async (context) => {
      if (failed !== null) return context.skip(`after the failure of “${failed}”`);
      try {
        return await act(context);
      } catch (error) {
        failed = name;
        throw error;
      }
    });
}
