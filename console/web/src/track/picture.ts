// A small map of one voyage as a drawing of lines: sharp on paper, and styled by the page's colours.

import type { Fence, Position, TrackPoint } from "../api-types.js";
import { h, setText, svg } from "../dom.js";
import type { Format } from "../format.js";
import { traceLand, type Pen } from "../map/land.js";
import { loadLand } from "../map/load.js";
import { metresPerPixel, worldLength, worldSize, type View } from "../map/projection.js";
import { roundLength } from "./scale-bar.js";
import { at as whereAt, cleaned, ends, placed, traced, viewOf } from "./trace.js";

export interface Picture {
  element: HTMLElement;
  /** `now`: where it is; null where nobody knows. */
  set(points: TrackPoint[], now: Position | null, fences: Fence[]): void;
  /** Shows where it was at a time (seconds since 1970). */
  point(time: number | null): void;
}

/** Seconds: a position that is older is not shown as that of the cursor's time. */
const NEAR = 12 * 3600;

export function picture(format: Format, width: number, height: number): Picture {
  const land = svg("path", { class: "track-land", "fill-rule": "evenodd" });
  const coast = svg("path", { class: "track-coast" });
  const places = svg("g", { class: "track-fences" });
  const guessed = svg("path", { class: "track-guessed" });
  const known = svg("path", { class: "track-known" });
  const begin = svg("circle", { class: "track-begin", r: 4 });
  const end = svg("circle", { class: "track-end", r: 5.5 });
  const cursor = svg("circle", { class: "track-cursor", r: 6 });
  const bar = svg("g", { class: "track-bar" });
  const drawing = svg(
    "svg",
    { class: "track-picture", viewBox: `0 0 ${width} ${height}`, role: "img", preserveAspectRatio: "xMidYMid slice" },
    svg("rect", { class: "track-sea", width, height }), land, coast, places, guessed, known, begin, end, cursor, bar,
  );
  const note = h("p", { class: "muted small track-note" });
  const element = h("figure", { class: "track" }, drawing, h("figcaption", {}, note));
  let points: TrackPoint[] = [];
  let view: View = viewOf([], null, width, height);

  const show = (circle: SVGCircleElement, where: readonly [number, number, ...unknown[]] | null): void => {
    circle.toggleAttribute("hidden", where === null);
    circle.setAttribute("visibility", where === null ? "hidden" : "visible");
    if (where === null) return;
    const [x, y] = placed(view, where);
    circle.setAttribute("cx", x.toFixed(1));
    circle.setAttribute("cy", y.toFixed(1));
  };

  const drawLand = (): void => {
    const asked = view;
    void loadLand().then(
      (rings) => {
        if (asked !== view) return;
        const [fill, shore] = [pen(), pen()];
        traceLand(rings, view, fill, shore);
        land.setAttribute("d", fill.text());
        coast.setAttribute("d", shore.text());
      },
      () => undefined,
    );
  };

  return {
    element,
    set(next, now, fences) {
      points = cleaned(next);
      const { first, last } = ends(points);
      const fresh = viewOf(points, now, width, height);
      if (fresh.x !== view.x || fresh.y !== view.y || fresh.zoom !== view.zoom) {
        view = fresh;
        drawLand();
      } else if (!land.hasAttribute("d")) drawLand();
      const lines = traced(points, view);
      known.setAttribute("d", lines.known);
      guessed.setAttribute("d", lines.guessed);
      show(begin, first);
      show(end, now ?? last);
      show(cursor, null);
      places.replaceChildren(...fences.flatMap((fence) => fenceShape(fence, view)));
      scaleBar(bar, view, format);
      setText(note, told(format, first, last, now));
      drawing.setAttribute("aria-label", `Map of the voyage. ${note.textContent ?? ""}`);
    },
    point: (time) => show(cursor, time === null ? null : whereAt(points, time, NEAR)),
  };
}

function told(format: Format, first: TrackPoint, last: TrackPoint, now: Position | null): string {
  if (first === null || last === null) return now === null ? "No position is known." : `At ${format.position(now)}.`;
  return `From ${format.position([first[0], first[1]], 2)} (${format.day(first[2] * 1000)}) to ${format.position(now ?? [last[0], last[1]], 2)} (${format.day(last[2] * 1000)}).`;
}

function fenceShape(fence: Fence, view: View): SVGElement[] {
  const shape = outline(fence, view);
  if (shape === null) return [];
  shape.append(svg("title", {}, fence.name));
  return [shape];
}

function outline(fence: Fence, view: View): SVGElement | null {
  const { geometry, radius } = fence;
  if (geometry.type === "Point") {
    const [x, y] = placed(view, geometry.coordinates);
    const r = Math.max(2, worldLength(radius ?? 0, geometry.coordinates[1]) * worldSize(view.zoom));
    return isInSight(x, y, view) ? svg("circle", { cx: x.toFixed(1), cy: y.toFixed(1), r: r.toFixed(1) }) : null;
  }
  const rings = geometry.type === "Polygon" ? geometry.coordinates : geometry.coordinates.flat();
  const corner = rings[0]?.[0];
  if (corner === undefined || !isInSight(...placed(view, corner), view)) return null;
  const d = rings.map((ring) => `M${ring.map((place) => placed(view, place).map((value) => value.toFixed(1)).join(" ")).join("L")}Z`).join("");
  return svg("path", { d, "fill-rule": "evenodd" });
}

function isInSight(x: number, y: number, view: View): boolean {
  return x > -view.width && x < 2 * view.width && y > -view.height && y < 2 * view.height;
}

function scaleBar(group: SVGGElement, view: View, format: Format): void {
  const metres = roundLength(metresPerPixel(view) * view.width * 0.25);
  const length = metres / metresPerPixel(view);
  const [x, y] = [10, view.height - 10];
  const text = metres >= 1000 ? format.quantity(metres / 1000, "km", 0) : format.quantity(metres, "m", 0);
  group.replaceChildren(svg("path", { d: `M${x} ${y - 5}V${y}H${(x + length).toFixed(1)}V${y - 5}` }), svg("text", { x: x + 4, y: y - 5 }, text));
}

/** Collects path data. */
function pen(): Pen & { text(): string } {
  const parts: string[] = [];
  return {
    moveTo: (x, y) => parts.push(`M${x.toFixed(1)} ${y.toFixed(1)}`),
    lineTo: (x, y) => parts.push(`L${x.toFixed(1)} ${y.toFixed(1)}`),
    text: () => parts.join(""),
  };
}
