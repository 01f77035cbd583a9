// The keyboard on the map.

import type { Camera } from "./camera.js";

const STEP = 80;

export interface KeyActions {
  next(by: 1 | -1): void;
  open(): void;
  leave(): void;
  fit(): void;
}

export const HELP = "Arrow keys move the map, + and − zoom, 0 shows all. N and P go from container to container, Enter opens one, Escape lets go.";

/** Does what a key means; false where it means nothing here. */
export function pressKey(event: KeyboardEvent, camera: Camera, actions: KeyActions): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  switch (event.key) {
    case "ArrowLeft":
      camera.pan(-STEP, 0);
      return true;
    case "ArrowRight":
      camera.pan(STEP, 0);
      return true;
    case "ArrowUp":
      camera.pan(0, -STEP);
      return true;
    case "ArrowDown":
      camera.pan(0, STEP);
      return true;
    case "+":
    case "=":
      camera.zoomSmoothly(1);
      return true;
    case "-":
    case "_":
      camera.zoomSmoothly(-1);
      return true;
    case "0":
    case "Home":
      actions.fit();
      return true;
    case "n":
    case "N":
    case "PageDown":
      actions.next(1);
      return true;
    case "p":
    case "P":
    case "PageUp":
      actions.next(-1);
      return true;
    case "Enter":
    case " ":
      actions.open();
      return true;
    case "Escape":
      actions.leave();
      return true;
    default:
      return false;
  }
}
