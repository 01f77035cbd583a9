// Markers drawn once and copied: a shape for each state, with a pointer for each of 36 courses.

import { LOOKS, SHAPES, type Look } from "../states.js";
import type { Palette } from "./palette.js";

/** A sprite's side and the marker's middle in it, CSS pixels. */
const SIDE = 40;
const COURSES = 36;
const SCALE = 0.9;
/** A course is worth a pointer only where it is of now. */
const REPORTING = new Set<Look>(["ok", "alarm-warning", "alarm-critical"]);

export class Sprites {
  private readonly sheet: HTMLCanvasElement;

  constructor(palette: Palette, private readonly ratio: number) {
    this.sheet = document.createElement("canvas");
    this.sheet.width = Math.ceil(SIDE * ratio * (COURSES + 1));
    this.sheet.height = Math.ceil(SIDE * ratio * LOOKS.length);
    const pen = this.sheet.getContext("2d");
    if (pen === null) return;
    pen.lineJoin = "round";
    const pointer = new Path2D("M0-14.5 4.6-4H-4.6Z");
    for (const [row, look] of LOOKS.entries()) {
      const shape = new Path2D(SHAPES[look]);
      for (let column = 0; column <= COURSES; column += 1) {
        const outline = new Path2D(shape);
        const turn = new DOMMatrix().rotate((column / COURSES) * 360);
        const hasPointer = column < COURSES && REPORTING.has(look);
        if (hasPointer) outline.addPath(pointer, turn);
        this.centre(pen, column, row);
        pen.strokeStyle = palette.edge;
        pen.lineWidth = 4;
        pen.stroke(outline);
        pen.strokeStyle = palette.ink;
        pen.lineWidth = 1.6;
        pen.stroke(outline);
        if (hasPointer) {
          const turned = new Path2D();
          turned.addPath(pointer, turn);
          pen.fillStyle = palette.looks[look];
          pen.fill(turned);
        }
        pen.fillStyle = palette.looks[look];
        pen.fill(shape, "evenodd");
        pen.strokeStyle = palette.ink;
        pen.lineWidth = 0.7;
        pen.stroke(shape);
      }
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** Copies a marker to a place; `course` in degrees, NaN for none. */
  draw(pen: CanvasRenderingContext2D, look: number, course: number, x: number, y: number): void {
    const column = Number.isFinite(course) ? ((Math.round(course / (360 / COURSES)) % COURSES) + COURSES) % COURSES : COURSES;
    const side = SIDE * this.ratio;
    pen.drawImage(this.sheet, column * side, look * side, side, side, x - SIDE / 2, y - SIDE / 2, SIDE, SIDE);
  }

  private centre(pen: CanvasRenderingContext2D, column: number, row: number): void {
    const scale = this.ratio * SCALE;
    pen.setTransform(scale, 0, 0, scale, (column + 0.5) * SIDE * this.ratio, (row + 0.5) * SIDE * this.ratio);
  }
}
