// What is really drawn on a canvas: without this a test would believe what the page's script says of itself.

/** A colour of the style sheet (`--ok`), as [red, green, blue], read where the browser has computed it. */
export function colour(page, name) {
  return page.evaluate((property) => {
    const probe = document.createElement("canvas").getContext("2d");
    probe.fillStyle = getComputedStyle(document.documentElement).getPropertyValue(property).trim();
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  }, name);
}

/**
 * How many pixels of a canvas have a colour, in all of it or within `radius` CSS pixels of a place. `near`: how much each
 * part of the colour may differ, as edges are smoothed.
 */
export function count(canvas, colour, { x, y, radius, near = 24 } = {}) {
  return canvas.evaluate((element, wish) => {
    const ratio = element.width / element.clientWidth;
    const whole = wish.x === undefined;
    const left = whole ? 0 : Math.max(0, Math.round((wish.x - wish.radius) * ratio));
    const top = whole ? 0 : Math.max(0, Math.round((wish.y - wish.radius) * ratio));
    const wide = whole ? element.width : Math.round(2 * wish.radius * ratio);
    const high = whole ? element.height : Math.round(2 * wish.radius * ratio);
    const { data } = element.getContext("2d").getImageData(left, top, wide, high);
    let found = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 127 && wish.colour.every((part, index) => Math.abs(part - data[at + index]) <= wish.near)) found += 1;
    }
    return found;
  }, { colour, x, y, radius, near });
}
