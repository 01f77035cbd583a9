// The map: the ground, the fleet on it, and what people do with both.

import type { App } from "../app.js";
import { h, setText } from "../dom.js";
import { icon, type Icon } from "../icons.js";
import { isMotionReduced } from "../motion.js";
import { sentence, nameOf } from "../names.js";
import { expose } from "../inspect.js";
import { Camera } from "./camera.js";
import { Card } from "./card.js";
import type { Cluster } from "./clusters.js";
import { Fleet } from "./fleet.js";
import { attachGestures } from "./gestures.js";
import { Ground } from "./ground.js";
import { HELP, pressKey } from "./keys.js";
import { loadLand } from "./load.js";
import { drawRing, Markers, type Drawn, type Thing } from "./markers.js";
import { readPalette, type Palette } from "./palette.js";
import { latitude, longitude, type View } from "./projection.js";
import { ScaleBar } from "./scale.js";
import { Sprites } from "./sprites.js";

/** How near the map goes by itself. */
const FIT_ZOOM = 7;
/** A cluster whose members lie this near at full zoom is listed, not zoomed into. */
const DEEP_ZOOM = 13;

export interface MapEvents {
  /** A device was chosen, or none. */
  chosen(id: string | null): void;
  /** A cluster's members, which zooming in would not part. */
  listed(ids: string[]): void;
}

export class FleetMap {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", {
    class: "map-canvas", tabindex: 0, role: "application", "data-testid": "map", "aria-label": "Map of the fleet", "aria-describedby": "map-help",
  });
  private readonly said = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite", "data-testid": "map-said" });
  private readonly empty = h("div", { class: "map-empty", hidden: true });
  private readonly camera = new Camera(() => this.request(), isMotionReduced);
  private readonly fleet: Fleet;
  private readonly ground = new Ground();
  private readonly markers: Markers;
  private readonly card: Card;
  private readonly scale: ScaleBar;
  private palette: Palette | null = null;
  private sprites: Sprites | null = null;
  private ratio = 1;
  private frame = 0;
  private isFitted = false;
  private focused: Thing | null = null;
  private hovered: Thing | null = null;
  private chosen: string | null = null;
  private readonly endings: (() => void)[] = [];

  constructor(private readonly app: App, private readonly events: MapEvents) {
    this.fleet = new Fleet(app, () => this.camera.view, () => this.request());
    this.markers = new Markers(this.fleet.points, (id) => this.nameOf(id), (value) => app.format.number(value));
    this.card = new Card(app);
    this.scale = new ScaleBar(app.format);
    const button = (label: string, sign: Icon, act: () => void): HTMLElement =>
      h("button", { type: "button", class: "map-button", "aria-label": label, title: label, onclick: act }, icon(sign));
    const buttons = h("div", { class: "map-buttons" },
      button("Zoom in", "plus", () => this.camera.zoomSmoothly(1)),
      button("Zoom out", "minus", () => this.camera.zoomSmoothly(-1)),
      button("Show all", "fit", () => this.showAll()));
    const help = h("div", { class: "map-help small", id: "map-help" }, HELP);
    this.element = h("div", { class: "map" }, this.ground.element, this.canvas, this.card.element, buttons, this.scale.element, this.empty, help, this.said);
    this.listen();
  }

  /** Shows only these devices; null shows all. */
  filter(shown: ReadonlySet<string> | null): void {
    this.fleet.filter(shown);
    this.ground.invalidate();
    this.request();
  }

  /** Marks a device and brings it into sight. */
  choose(id: string | null, isMoved = true): void {
    this.chosen = id;
    const place = id === null ? null : this.fleet.placeOf(id);
    if (place !== null && isMoved) this.camera.show(place.x, place.y);
    this.request();
  }

  /** Marks a device for as long as the list's pointer is on it. */
  point(id: string | null): void {
    this.hovered = id === null ? null : { id, cluster: null };
    this.request();
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.fleet.destroy();
    for (const end of this.endings) end();
  }

  private listen(): void {
    const { canvas } = this;
    const resized = new ResizeObserver(() => this.resize());
    resized.observe(this.element);
    const theme = window.matchMedia("(prefers-color-scheme: dark)");
    const repaint = (): void => this.repaint();
    theme.addEventListener("change", repaint);
    document.addEventListener("themechange", repaint);
    this.endings.push(() => resized.disconnect(), () => theme.removeEventListener("change", repaint),
      () => document.removeEventListener("themechange", repaint));
    this.endings.push(expose({ positions: () => this.positions(), view: () => this.camera.view, look: (view: View) => this.look(view),
      pan: (x: number, y: number) => this.camera.pan(x, y), zoom: (by: number) => this.camera.zoom(by) }));

    attachGestures(canvas, this.camera, {
      click: (x, y) => this.press(this.markers.at(x, y)),
      doubleClick: (x, y) => this.doublePress(this.markers.at(x, y), x, y),
      hover: (x, y) => this.hover(x === null || y === null ? null : this.markers.at(x, y)),
    });
    canvas.addEventListener("keydown", (event) => {
      const isMeant = pressKey(event, this.camera, {
        next: (by) => this.next(by),
        open: () => this.open(this.focused),
        leave: () => this.leave(),
        fit: () => this.showAll(),
      });
      if (isMeant) event.preventDefault();
    });
    canvas.addEventListener("focus", () => this.request());
    canvas.addEventListener("blur", () => {
      this.focused = null;
      this.request();
    });
    loadLand().then((rings) => {
      this.fleet.scene.rings = rings;
      this.ground.invalidate();
      this.request();
    }, () => this.app.notify("The outline of the land cannot be loaded: the map is without it.", "error"));
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (width === 0 || height === 0) return;
    this.ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(width * this.ratio);
    this.canvas.height = Math.round(height * this.ratio);
    this.repaint();
    this.camera.resize(width, height);
    if (!this.isFitted) this.fit(false);
  }

  private repaint(): void {
    this.palette = readPalette(this.element);
    this.sprites = new Sprites(this.palette, this.ratio);
    this.ground.invalidate();
    this.request();
  }

  /** Keeps all in sight until somebody looks elsewhere: containers come one after the other, and travel. */
  private followFleet(): void {
    const { camera, fleet } = this;
    if (camera.isChosen || camera.isFlying || camera.isFarthestOut) return;
    const { xs, ys } = fleet.places();
    if (xs.some((x, at) => !camera.sees(x, ys[at] ?? 0, 4))) this.fit(true);
  }

  private showAll(): void {
    this.camera.isChosen = false;
    this.fit(true);
  }

  private look(view: View): void {
    this.camera.isChosen = true;
    this.camera.fly(view);
  }

  private fit(isSmooth: boolean): void {
    const { xs, ys } = this.fleet.places();
    this.isFitted = xs.length > 0 && this.camera.view.width > 0;
    this.camera.fit(xs, ys, FIT_ZOOM, isSmooth);
  }

  private request(): void {
    if (this.frame === 0) this.frame = requestAnimationFrame((now) => this.draw(now));
  }

  private draw(now: number): void {
    this.frame = 0;
    const pen = this.canvas.getContext("2d");
    const { palette, sprites, camera } = this;
    if (pen === null || palette === null || sprites === null || camera.view.width === 0) return;
    if (!this.isFitted && this.fleet.points.size > 0) this.fit(false);
    camera.step(now);
    const { view } = camera;
    const isNew = this.fleet.layOut(view.zoom);
    if (isNew) {
      this.followFleet();
      this.keepFocus();
      if (this.fleet.didSceneChange) this.ground.invalidate();
    }
    const isMoving = this.markers.place(this.fleet.layout, view, now);
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.clearRect(0, 0, view.width, view.height);
    const isRough = this.ground.draw(view, this.ratio, palette, this.fleet.scene, now);
    this.drawTailEnds(pen, palette);
    this.markers.draw({ pen, palette, sprites }, view);
    this.drawMarks(pen, palette);
    this.scale.update(view);
    this.tellEmptiness();
    if (camera.isFlying || isMoving || isRough) this.request();
  }

  private drawTailEnds(pen: CanvasRenderingContext2D, palette: Palette): void {
    const paths = this.fleet.tailEnds(this.markers.drawn, this.camera.view);
    pen.lineWidth = 1.75;
    pen.globalAlpha = 0.8;
    for (const [look, path] of paths) {
      pen.strokeStyle = palette.looks[look];
      pen.stroke(path);
    }
    pen.globalAlpha = 1;
  }

  private drawMarks(pen: CanvasRenderingContext2D, palette: Palette): void {
    const chosen = this.markers.find(this.chosen === null ? null : { id: this.chosen, cluster: null });
    const hovered = this.markers.find(this.hovered);
    const focused = document.activeElement === this.canvas ? this.markers.find(this.focused) : null;
    if (hovered !== null) drawRing(pen, palette, hovered, false);
    if (chosen !== null) drawRing(pen, palette, chosen, true);
    if (focused !== null) drawRing(pen, palette, focused, true);
    this.showCard(focused ?? hovered ?? chosen, chosen);
  }

  private showCard(thing: Drawn | null, chosen: Drawn | null): void {
    const { width, height } = this.camera.view;
    const row = thing?.id == null ? undefined : this.app.store.row(thing.id);
    if (thing === null || (thing.cluster === null && row === undefined)) {
      this.card.hide();
      return;
    }
    if (thing.cluster !== null) this.card.cluster(thing.cluster);
    else if (row !== undefined) this.card.device(row, thing === chosen);
    this.card.move(thing.x, thing.y, width, height);
  }

  private press(thing: Drawn | null): void {
    if (thing?.cluster != null) this.enter(thing.cluster);
    else {
      this.choose(thing?.id ?? null, false);
      this.events.chosen(this.chosen);
    }
  }

  private doublePress(thing: Drawn | null, x: number, y: number): void {
    if (thing?.id != null) this.open(thing);
    else this.camera.zoomSmoothly(1, x, y);
  }

  private hover(thing: Drawn | null): void {
    this.canvas.classList.toggle("is-over", thing !== null);
    if (thing === this.hovered || (thing !== null && this.markers.find(this.hovered) === thing)) return;
    this.hovered = thing;
    this.request();
  }

  private open(thing: Thing | null): void {
    if (thing === null) return;
    if (thing.cluster !== null) this.enter(thing.cluster);
    else this.app.navigate(`#/device/${encodeURIComponent(thing.id)}`);
  }

  /** Goes nearer to a cluster, or lists it where going nearer does not part it. */
  private enter(cluster: Cluster): void {
    const { xs, ys, ids } = this.fleet.members(cluster);
    const isTight = this.camera.view.zoom >= DEEP_ZOOM || this.fleet.isOnePlace(xs, ys);
    if (isTight) this.events.listed(ids);
    else {
      this.camera.isChosen = true;
      this.camera.fit(xs, ys, DEEP_ZOOM, true);
    }
    this.say(`${this.app.format.number(ids.length)} containers`);
  }

  /** Moves the keyboard's focus to the next thing in sight, from left to right. */
  private next(by: 1 | -1): void {
    const { width, height } = this.camera.view;
    const order = this.markers.drawn
      .filter(({ x, y }) => x >= 0 && y >= 0 && x <= width && y <= height)
      .sort((a, b) => a.x - b.x || a.y - b.y);
    if (order.length === 0) {
      this.say("No container is in sight. Press 0 to show all.");
      return;
    }
    const held = this.markers.find(this.focused);
    const at = held === null ? (by === 1 ? 0 : order.length - 1) : (order.indexOf(held) + by + order.length) % order.length;
    const thing = order[at] ?? null;
    this.focused = thing;
    this.hovered = null;
    if (thing !== null) this.say(`${this.describe(thing)}. ${at + 1} of ${order.length} in sight.`);
    this.request();
  }

  private leave(): void {
    this.focused = null;
    this.hovered = null;
    this.choose(null, false);
    this.events.chosen(null);
  }

  /** After a new layout the focus stays with the circle that holds its first member. */
  private keepFocus(): void {
    for (const name of ["focused", "hovered"] as const) {
      const first = this[name]?.cluster?.members[0];
      if (first === undefined) continue;
      const cluster = this.fleet.layout.clusters.find(({ members }) => members.includes(first));
      this[name] = cluster === undefined ? null : { id: null, cluster };
    }
  }

  private describe(thing: Thing): string {
    if (thing.cluster !== null) return `${this.app.format.number(thing.cluster.members.length)} containers together`;
    const row = this.app.store.row(thing.id);
    return row === undefined ? thing.id : sentence(row, this.app.format);
  }

  private nameOf(id: string): string {
    const row = this.app.store.row(id);
    return row === undefined ? id : nameOf(row, this.app.format);
  }

  private say(text: string): void {
    setText(this.said, text);
  }

  private tellEmptiness(): void {
    const text = this.fleet.emptiness();
    this.empty.hidden = text === null;
    if (text !== null) setText(this.empty, text);
  }

  /** Where each device was drawn last, for tests that look at the picture. */
  private positions(): { id: string; x: number; y: number; lon: number; lat: number; isClustered: boolean }[] {
    const found = [];
    for (const { id, cluster, x, y } of this.markers.drawn) {
      const indices = cluster === null ? [this.fleet.points.indexOf(id) ?? -1] : cluster.members;
      for (const index of indices) {
        const now = performance.now();
        const [worldXHere, worldYHere] = [this.fleet.points.x(index, now), this.fleet.points.y(index, now)];
        const name = this.fleet.points.ids[index] ?? "";
        found.push({ id: name, x, y, lon: longitude(worldXHere), lat: latitude(worldYHere), isClustered: cluster !== null });
      }
    }
    return found;
  }
}
