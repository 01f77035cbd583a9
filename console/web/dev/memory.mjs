// A folder in memory where the system has one, as `simulate` takes by itself: a run that is killed leaves nothing behind when
// its TMPDIR goes with the test.

import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export function folderInMemory() {
  return mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "console-test-"));
}
