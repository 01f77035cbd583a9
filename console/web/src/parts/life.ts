// What a page has begun and has to end when another page is shown: listeners, timers, and answers that come too late.

export class Life {
  isOver = false;
  private readonly endings: (() => void)[] = [];

  /** Does this at the end. */
  add(end: () => void): void {
    if (this.isOver) end();
    else this.endings.push(end);
  }

  /** Calls after so many ms, unless the end comes first. */
  after(ms: number, act: () => void): void {
    if (this.isOver) return;
    const timer = setTimeout(() => {
      if (!this.isOver) act();
    }, ms);
    this.add(() => clearTimeout(timer));
  }

  /** Calls every so many ms. */
  every(ms: number, act: () => void): void {
    const timer = setInterval(act, ms);
    this.add(() => clearInterval(timer));
  }

  /** Listens to an event until the end. */
  on(target: EventTarget, event: string, listener: (event: Event) => void): void {
    target.addEventListener(event, listener);
    this.add(() => target.removeEventListener(event, listener));
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    for (const end of this.endings.reverse()) end();
  }
}

/** A function that acts at most once in so many ms, at the end of them. */
export function throttled(life: Life, ms: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  life.add(() => {
    if (timer !== null) clearTimeout(timer);
  });
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      if (!life.isOver) act();
    }, ms);
  };
}
