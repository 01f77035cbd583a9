// Where the map looks, and how it gets to another view.

import { clampView, fitView, minZoom, nearest, panBy, worldSize, zoomAbout, type View } from "./projection.js";

const FLIGHT_MS = 260;

export class Camera {
  view: View = { x: 0.5, y: 0.4, zoom: 0, width: 0, height: 0 };
  /** Whether somebody chose the view: until then it follows the fleet. */
  isChosen = false;
  private flight: { from: View; to: View; began: number } | null = null;

  /** `changed` is called whenever the view has to be drawn anew. */
  constructor(private readonly changed: () => void, private readonly isMotionReduced: () => boolean) {}

  get isFlying(): boolean {
    return this.flight !== null;
  }

  resize(width: number, height: number): void {
    this.set(clampView({ ...this.view, width, height }));
  }

  pan(pixelsX: number, pixelsY: number): void {
    this.isChosen = true;
    this.flight = null;
    this.set(panBy(this.view, pixelsX, pixelsY));
  }

  zoom(by: number, pixelX = this.view.width / 2, pixelY = this.view.height / 2): void {
    this.isChosen = true;
    this.flight = null;
    this.set(zoomAbout(this.view, by, pixelX, pixelY));
  }

  /** Zooms in steps, in a moment rather than at once. */
  zoomSmoothly(by: number, pixelX = this.view.width / 2, pixelY = this.view.height / 2): void {
    this.isChosen = true;
    const from = this.flight?.to ?? this.view;
    this.fly(zoomAbout(from, Math.round(from.zoom + by) - from.zoom || by, pixelX, pixelY));
  }

  fit(xs: number[], ys: number[], maxZoom: number, smoothly: boolean): void {
    const padding = Math.min(48, this.view.width / 6);
    const to = fitView(this.view, xs, ys, padding, maxZoom);
    if (smoothly) this.fly(to);
    else this.set(to);
  }

  /** Whether a place is in sight, `margin` pixels from the edge. */
  sees(x: number, y: number, margin = 0): boolean {
    const { width, height } = this.view;
    const size = worldSize(this.view.zoom);
    const dx = (nearest(x, this.view.x) - this.view.x) * size;
    const dy = (y - this.view.y) * size;
    return Math.abs(dx) <= width / 2 - margin && Math.abs(dy) <= height / 2 - margin;
  }

  /** Brings a place into sight, if it is not. */
  show(x: number, y: number): void {
    this.isChosen = true;
    if (!this.sees(x, y, 40)) this.fly(clampView({ ...this.view, x, y }));
  }

  fly(to: View): void {
    if (this.isMotionReduced()) {
      this.flight = null;
      this.set(clampView(to));
      return;
    }
    this.flight = { from: this.view, to: { ...to, x: nearest(to.x, this.view.x) }, began: performance.now() };
    this.changed();
  }

  /** Goes on with a flight; called before each drawing. */
  step(now: number): void {
    if (this.flight === null) return;
    const { from, to, began } = this.flight;
    const part = Math.min(1, Math.max(0, (now - began) / FLIGHT_MS));
    const eased = 1 - (1 - part) ** 3;
    const zoom = from.zoom + (to.zoom - from.zoom) * eased;
    // The middle moves as the scale does, so that a place under the pointer stays there.
    const [first, last, here] = [2 ** -from.zoom, 2 ** -to.zoom, 2 ** -zoom];
    const way = first === last ? eased : (here - first) / (last - first);
    const { width, height } = this.view;
    this.view = clampView({ x: from.x + (to.x - from.x) * way, y: from.y + (to.y - from.y) * way, zoom, width, height });
    if (part === 1) this.flight = null;
  }

  get isFarthestOut(): boolean {
    return this.view.zoom <= minZoom(this.view.width) + 1e-6;
  }

  private set(view: View): void {
    this.view = view;
    this.changed();
  }
}
