// Mouse, touch and pen: dragging moves the map, the wheel and two fingers zoom it about where they are.

import type { Camera } from "./camera.js";

/** A press that moved less than this is a click, pixels. */
const STILL = 5;
const WHEEL_STEP = 1 / 300;
const PINCH_WHEEL_STEP = 1 / 60;

export interface Touched {
  click(x: number, y: number): void;
  doubleClick(x: number, y: number): void;
  /** The pointer rests at a place, or left. */
  hover(x: number | null, y: number | null): void;
}

export function attachGestures(canvas: HTMLCanvasElement, camera: Camera, touched: Touched): void {
  const pointers = new Map<number, { x: number; y: number }>();
  let travelled = 0;
  let clicked = { at: 0, x: 0, y: 0 };

  const place = (event: MouseEvent): { x: number; y: number } => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    if (pointers.size === 0) travelled = 0;
    pointers.set(event.pointerId, place(event));
    canvas.classList.add("is-held");
  });

  canvas.addEventListener("pointermove", (event) => {
    const here = place(event);
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType === "mouse") touched.hover(here.x, here.y);
      return;
    }
    const spanBefore = span(pointers);
    pointers.set(event.pointerId, here);
    const spanNow = span(pointers);
    travelled += Math.hypot(here.x - before.x, here.y - before.y);
    if (travelled < STILL) return;
    touched.hover(null, null);
    camera.pan((before.x - here.x) / pointers.size, (before.y - here.y) / pointers.size);
    if (spanBefore !== null && spanNow !== null && spanBefore.length > 0) {
      camera.zoom(Math.log2(spanNow.length / spanBefore.length), spanNow.x, spanNow.y);
    }
  });

  const release = (event: PointerEvent): void => {
    if (!pointers.delete(event.pointerId)) return;
    if (pointers.size > 0) return;
    canvas.classList.remove("is-held");
    if (event.type !== "pointerup" || travelled >= STILL) return;
    const { x, y } = place(event);
    const isSecond = event.timeStamp - clicked.at < 350 && Math.hypot(x - clicked.x, y - clicked.y) < 12;
    clicked = { at: isSecond ? 0 : event.timeStamp, x, y };
    if (isSecond) touched.doubleClick(x, y);
    else touched.click(x, y);
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("pointerleave", () => touched.hover(null, null));

  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { x, y } = place(event);
      const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
      const by = -event.deltaY * lines * (event.ctrlKey ? PINCH_WHEEL_STEP : WHEEL_STEP);
      camera.zoom(Math.max(-1, Math.min(1, by)), x, y);
    },
    { passive: false },
  );
}

/** The distance of two fingers and their middle. */
function span(pointers: Map<number, { x: number; y: number }>): { length: number; x: number; y: number } | null {
  const [a, b] = [...pointers.values()];
  if (a === undefined || b === undefined) return null;
  return { length: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
}
