// What lies under the markers: sea, graticule, land, fences and tails. It is a canvas of its own, larger than the view, so
// that a moved map draws nothing anew until its edge is reached.

import type { Fence } from "../api-types.js";
import { h } from "../dom.js";
import { LOOKS } from "../states.js";
import { traceFences } from "./fences.js";
import { traceGraticule, traceLand, type Ring } from "./land.js";
import type { Palette } from "./palette.js";
import { nearest, screenY, worldSize, type View } from "./projection.js";
import type { Tails } from "./tails.js";

/** How much larger than the view the canvas is, on each side. */
const MARGIN = 0.25;
/** A picture that is stretched by zooming is drawn anew after this long, ms. */
const PATIENCE = 120;
/** Tails that grew are drawn anew after this long, ms; what grew is drawn with the markers till then. */
const TAIL_PATIENCE = 4000;

export interface Scene {
  rings: readonly Ring[];
  fences: readonly Fence[];
  tails: Tails;
  /** The devices whose tails are drawn, by look. */
  shown: { id: string; look: number }[];
}

export class Ground {
  readonly element = h("canvas", { class: "map-ground", "aria-hidden": "true" });
  private view: View | null = null;
  private drawnAt = 0;
  private tailVersion = -1;
  private isStale = true;
  private transform = "";

  /** The picture no longer shows what is: it is drawn anew. */
  invalidate(): void {
    this.isStale = true;
  }

  /** Shows the ground of a view; true where a better picture has to follow. */
  draw(view: View, ratio: number, palette: Palette, scene: Scene, now: number): boolean {
    const isUsable = !this.isStale && this.covers(view);
    const isStretched = this.view !== null && this.view.zoom !== view.zoom;
    const age = now - this.drawnAt;
    const isOld = (isStretched && age > PATIENCE) || (scene.tails.version !== this.tailVersion && age > TAIL_PATIENCE);
    if (!isUsable || isOld) this.render(view, ratio, palette, scene, now);
    this.lay(view, ratio);
    return this.view !== null && this.view.zoom !== view.zoom;
  }

  private covers(view: View): boolean {
    const held = this.view;
    if (held === null || held.width !== this.marginal(view).width || held.height !== this.marginal(view).height) return false;
    if (Math.abs(held.zoom - view.zoom) > 1) return false;
    const [heldSize, size] = [worldSize(held.zoom), worldSize(view.zoom)];
    const dx = Math.abs(nearest(held.x, view.x) - view.x);
    const dy = Math.abs(held.y - view.y);
    return dx <= held.width / 2 / heldSize - view.width / 2 / size && dy <= held.height / 2 / heldSize - view.height / 2 / size;
  }

  private marginal(view: View): View {
    return {
      ...view,
      width: Math.ceil(view.width * (1 + 2 * MARGIN)),
      height: Math.ceil(view.height * (1 + 2 * MARGIN)),
    };
  }

  private render(view: View, ratio: number, palette: Palette, scene: Scene, now: number): void {
    const wide = this.marginal(view);
    const { element } = this;
    const [width, height] = [Math.ceil(wide.width * ratio), Math.ceil(wide.height * ratio)];
    if (element.width !== width) element.width = width;
    if (element.height !== height) element.height = height;
    element.style.width = `${wide.width}px`;
    element.style.height = `${wide.height}px`;
    const pen = element.getContext("2d", { alpha: false });
    if (pen === null) return;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = palette.sea;
    pen.fillRect(0, 0, wide.width, wide.height);
    this.renderEarth(pen, wide, palette, scene);
    this.renderFences(pen, wide, palette, scene);
    this.renderTails(pen, wide, palette, scene);
    this.view = wide;
    this.drawnAt = now;
    this.tailVersion = scene.tails.version;
    this.isStale = false;
  }

  private renderEarth(pen: CanvasRenderingContext2D, view: View, palette: Palette, scene: Scene): void {
    const [land, coast, grid] = [new Path2D(), new Path2D(), new Path2D()];
    traceGraticule(view, grid);
    traceLand(scene.rings, view, land, coast);
    pen.fillStyle = palette.land;
    pen.fill(land, "evenodd");
    // Beyond Mercator's edge the north is sea, and the south land.
    const south = screenY(view, 1) - 0.5;
    if (south < view.height) pen.fillRect(0, south, view.width, view.height - south);
    pen.lineWidth = 1;
    pen.strokeStyle = palette.grid;
    pen.stroke(grid);
    pen.lineJoin = "round";
    pen.strokeStyle = palette.coast;
    pen.stroke(coast);
  }

  private renderFences(pen: CanvasRenderingContext2D, view: View, palette: Palette, scene: Scene): void {
    const outlines = new Path2D();
    const names = traceFences(scene.fences, view, outlines);
    pen.strokeStyle = palette.fence;
    pen.fillStyle = palette.fence;
    pen.globalAlpha = 0.1;
    pen.fill(outlines, "evenodd");
    pen.globalAlpha = 1;
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 4]);
    pen.stroke(outlines);
    pen.setLineDash([]);
    pen.font = `12px ${palette.font}`;
    pen.textAlign = "center";
    for (const { name, x, y } of names) {
      pen.lineWidth = 3;
      pen.strokeStyle = palette.edge;
      pen.strokeText(name, x, y);
      pen.fillText(name, x, y);
    }
  }

  private renderTails(pen: CanvasRenderingContext2D, view: View, palette: Palette, scene: Scene): void {
    pen.lineWidth = 1.75;
    pen.lineJoin = "round";
    for (const [at, look] of LOOKS.entries()) {
      const [older, newer] = [new Path2D(), new Path2D()];
      for (const { id, look: its } of scene.shown) if (its === at) scene.tails.trace(id, view, older, newer);
      pen.strokeStyle = palette.looks[look];
      pen.globalAlpha = 0.35;
      pen.stroke(older);
      pen.globalAlpha = 0.8;
      pen.stroke(newer);
    }
    pen.globalAlpha = 1;
  }

  /** Lays the picture where the view is: the browser's compositor moves and stretches it, no script draws. */
  private lay(view: View, ratio: number): void {
    const held = this.view;
    if (held === null) return;
    const size = worldSize(view.zoom);
    const stretch = size / worldSize(held.zoom);
    let left = (nearest(held.x, view.x) - view.x) * size + view.width / 2 - (held.width * stretch) / 2;
    let top = (held.y - view.y) * size + view.height / 2 - (held.height * stretch) / 2;
    if (stretch === 1) {
      // Whole device pixels keep the picture sharp.
      left = Math.round(left * ratio) / ratio;
      top = Math.round(top * ratio) / ratio;
    }
    const transform = `translate(${left}px, ${top}px) scale(${stretch})`;
    if (transform !== this.transform) this.element.style.transform = this.transform = transform;
  }
}
