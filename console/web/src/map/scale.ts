// The scale bar: a round length that fits, and what the coast is good for.

import type { Format } from "../format.js";
import { h, setText } from "../dom.js";
import { metresPerPixel, type View } from "./projection.js";

const WIDEST = 160;
/** The land's outline is true to about this, m. */
const COAST_M = 10_000;

export class ScaleBar {
  private readonly text = h("span", {});
  private readonly coast = h("span", { class: "map-coast", hidden: true }, "Coast true to 10 km");
  readonly element = h("div", { class: "map-scale small" }, this.text, this.coast);

  constructor(private readonly format: Format) {}

  update(view: View): void {
    const metre = metresPerPixel(view);
    const length = roundLength(metre * WIDEST);
    this.text.style.width = `${Math.round(length / metre)}px`;
    setText(this.text, length >= 1000 ? this.format.quantity(length / 1000, "km", 0) : this.format.quantity(length, "m", 0));
    this.coast.hidden = metre * 20 > COAST_M;
  }
}

/** The greatest of 1, 2 or 5 times a power of ten that is not above `most`. */
export function roundLength(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most));
  return [5, 2, 1].map((times) => times * power).find((length) => length <= most) ?? power;
}
