// The map's colours, as the style sheet has them for light and dark.

import { LOOKS, type Look } from "../states.js";

export interface Palette {
  sea: string;
  land: string;
  coast: string;
  grid: string;
  fence: string;
  ink: string;
  quiet: string;
  surface: string;
  edge: string;
  focus: string;
  looks: Record<Look, string>;
  font: string;
}

export function readPalette(element: Element): Palette {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return {
    sea: colour("--sea"),
    land: colour("--land"),
    coast: colour("--coast"),
    grid: colour("--grid"),
    fence: colour("--fence"),
    ink: colour("--ink"),
    quiet: colour("--ink-2"),
    surface: colour("--surface"),
    edge: colour("--mark-edge"),
    focus: colour("--focus"),
    looks: Object.fromEntries(LOOKS.map((look) => [look, colour(`--${look}`)])) as Record<Look, string>,
    font: style.fontFamily,
  };
}
