// Where a text stops being JSON. Browsers say it in words of their own, or not at all.

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[\da-fA-F]{4})*"/y;
const WORD = /true|false|null/y;

/** The index of the first thing that does not fit; null where all of it is JSON. */
export function faultAt(text: string): number | null {
  const scan = new Scan(text);
  if (!scan.value(0)) return scan.at;
  scan.skip();
  return scan.at === text.length ? null : scan.at;
}

const DEEPEST = 500;

class Scan {
  at = 0;

  constructor(private readonly text: string) {}

  skip(): void {
    this.take(SPACE);
  }

  value(depth: number): boolean {
    this.skip();
    if (depth > DEEPEST) return false;
    if (this.is("{")) return this.list("}", depth, true);
    if (this.is("[")) return this.list("]", depth, false);
    if (this.take(STRING) || this.take(WORD)) return true;
    return this.take(NUMBER);
  }

  /** Members or values with commas between them; the opening bracket has been taken. */
  private list(end: string, depth: number, hasNames: boolean): boolean {
    this.skip();
    if (this.is(end)) return true;
    for (;;) {
      if (hasNames && !this.name()) return false;
      if (!this.value(depth + 1)) return false;
      this.skip();
      if (this.is(end)) return true;
      if (!this.is(",")) return false;
    }
  }

  private name(): boolean {
    this.skip();
    if (!this.take(STRING)) return false;
    this.skip();
    return this.is(":");
  }

  private is(sign: string): boolean {
    if (this.text[this.at] !== sign) return false;
    this.at += 1;
    return true;
  }

  private take(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return false;
    this.at = pattern.lastIndex;
    return true;
  }
}
