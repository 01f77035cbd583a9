// The colours of the style sheet for what is drawn on a canvas, read again when the browser turns dark or light.

export interface Palette {
  ink: string;
  faint: string;
  line: string;
  surface: string;
  ok: string;
  warning: string;
  critical: string;
  warningInk: string;
  criticalInk: string;
  font: string;
}

export function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const of = (name: string): string => style.getPropertyValue(name).trim();
  return {
    ink: of("--ink"),
    faint: of("--ink-2"),
    line: of("--line"),
    surface: of("--surface"),
    ok: of("--ok"),
    warning: of("--alarm-warning"),
    critical: of("--alarm-critical"),
    warningInk: of("--warning-ink"),
    criticalInk: of("--critical-ink"),
    font: of("--font"),
  };
}

/** A colour of the style sheet (#rrggbb) let through so much. */
export function faded(colour: string, alpha: number): string {
  const hex = /^#([0-9a-f]{6})$/i.exec(colour)?.[1];
  if (hex === undefined) return colour;
  const part = (at: number): number => parseInt(hex.slice(at, at + 2), 16);
  return `rgba(${part(0)}, ${part(2)}, ${part(4)}, ${alpha})`;
}
