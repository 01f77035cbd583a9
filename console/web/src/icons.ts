// Signs on buttons, drawn rather than written: not every font has them.

import { svg } from "./dom.js";

const PATHS = {
  pause: "M5 3.5H8V14.5H5ZM10 3.5H13V14.5H10Z",
  play: "M5.5 3 14.5 9 5.5 15Z",
  minus: "M3.5 8.1H14.5V9.9H3.5Z",
  plus: "M8.1 3.5H9.9V8.1H14.5V9.9H9.9V14.5H8.1V9.9H3.5V8.1H8.1Z",
  fit: "M2.5 2.5H7V4.2H4.2V7H2.5ZM11 2.5H15.5V7H13.8V4.2H11ZM2.5 11H4.2V13.8H7V15.5H2.5ZM13.8 11H15.5V15.5H11V13.8H13.8Z",
  close: "M4.6 3.4 9 7.8 13.4 3.4 14.6 4.6 10.2 9 14.6 13.4 13.4 14.6 9 10.2 4.6 14.6 3.4 13.4 7.8 9 3.4 4.6Z",
};

export type Icon = keyof typeof PATHS;

export function icon(name: Icon): SVGSVGElement {
  return svg("svg", { class: "icon", viewBox: "0 0 18 18", "aria-hidden": "true", focusable: "false" }, svg("path", { d: PATHS[name] }));
}
