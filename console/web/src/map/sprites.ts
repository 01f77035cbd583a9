// Markers drawn once and copied: a shape for each state, and a pointer for each of 36 courses.

import { LOOKS, SHAPES } from "../states.js";
import type { Palette } from "./palette.js";

/** A sprite's side and the marker's middle in it, CSS pixels. */
const SIDE = 40;
const COURSES = 36;
const SCALE = 0.92;

export class Sprites {
  private readonly sheet: HTMLCanvasElement;

  constructor(palette: Palette, private readonly ratio: number) {
    this.sheet = document.createElement("canvas");
    this.sheet.width = Math.ceil(SIDE * ratio * COURSES);
    this.sheet.height = Math.ceil(SIDE * ratio * 2);
    const pen = this.sheet.getContext("2d");
    if (pen === null) return;
    for (const [at, look] of LOOKS.entries()) {
      this.centre(pen, at, 0);
      pen.scale(SCALE, SCALE);
      const shape = new Path2D(SHAPES[look]);
      pen.lineJoin = "round";
      pen.strokeStyle = palette.edge;
      pen.lineWidth = 4;
      pen.stroke(shape);
      pen.fillStyle = palette.looks[look];
      pen.fill(shape, "evenodd");
      pen.strokeStyle = palette.ink;
      pen.lineWidth = 0.9;
      pen.stroke(shape);
    }
    for (let course = 0; course < COURSES; course += 1) {
      this.centre(pen, course, 1);
      pen.rotate((course / COURSES) * 2 * Math.PI);
      const pointer = new Path2D("M0-14.5 3.6-8.6 0-9.8-3.6-8.6Z");
      pen.lineJoin = "round";
      pen.strokeStyle = palette.edge;
      pen.lineWidth = 2.5;
      pen.stroke(pointer);
      pen.fillStyle = palette.ink;
      pen.fill(pointer);
    }
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }

  /** Copies a marker to a place; `course` in degrees, NaN for none. */
  draw(pen: CanvasRenderingContext2D, look: number, course: number, x: number, y: number): void {
    if (!Number.isNaN(course)) this.copy(pen, Math.round(course / (360 / COURSES)) % COURSES, 1, x, y);
    this.copy(pen, look, 0, x, y);
  }

  private copy(pen: CanvasRenderingContext2D, column: number, row: number, x: number, y: number): void {
    const side = SIDE * this.ratio;
    const at = (column + COURSES) % COURSES;
    pen.drawImage(this.sheet, at * side, row * side, side, side, x - SIDE / 2, y - SIDE / 2, SIDE, SIDE);
  }

  private centre(pen: CanvasRenderingContext2D, column: number, row: number): void {
    pen.setTransform(this.ratio, 0, 0, this.ratio, (column + 0.5) * SIDE * this.ratio, (row + 0.5) * SIDE * this.ratio);
  }
}
