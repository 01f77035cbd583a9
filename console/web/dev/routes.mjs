// Shipping lanes, coarse: longitudes go beyond ±180 where a lane crosses the antimeridian, so that a leg is a straight line.

const LANES = {
  "Shanghai – Los Angeles": [[122, 31], [131, 30.5], [145, 38], [165, 44], [180, 47], [200, 47], [220, 42], [235, 35], [241.7, 33.6]],
  "Rotterdam – Singapore": [[3.9, 52], [1.6, 51], [-2, 49.8], [-6, 48.5], [-10, 43], [-10, 37], [-5.8, 35.9], [3, 37.6], [11, 37.6], [18, 35.5], [27, 33.5], [32.4, 31.4], [32.6, 29.8], [36, 25], [40, 17], [43.3, 12.6], [51, 12.5], [68, 9], [80, 5.7], [94, 6], [98, 5], [103.7, 1.2]],
  "Santos – Rotterdam": [[-46.2, -24.2], [-38, -20], [-33.5, -8], [-27, 5], [-20, 20], [-15, 35], [-10, 44], [-6, 48.6], [-2, 49.8], [1.6, 51], [3.9, 52]],
  "Valparaíso – Yokohama": [[-71.8, -33], [-90, -28], [-120, -15], [-150, 0], [-180, 15], [-200, 27], [-219, 34.6]],
  "Auckland – San Francisco": [[175, -36.5], [182, -32], [200, -10], [220, 15], [235, 34], [237.3, 37.7]],
  "Cape Town – Mumbai": [[18.3, -33.9], [20, -35.5], [30, -33], [40, -26], [50, -13], [60, 5], [72.7, 18.8]],
  "New York – Hamburg": [[-73.8, 40.4], [-60, 41.5], [-40, 46], [-20, 50], [-6, 49.5], [-2, 49.9], [1.6, 51], [4, 53.3], [8, 54]],
  "Fremantle – Singapore": [[115.6, -32], [112, -22], [106, -8], [105.6, -5.9], [106.5, -2], [104.2, 1.2]],
  "Santos – Cape Town": [[-46.2, -24.2], [-20, -30], [5, -34], [18.2, -33.9]],
  "Busan – Vancouver": [[129.2, 35], [141, 41.5], [160, 47], [180, 51], [200, 53], [220, 51], [234.5, 48.6]],
};

export const LANE_NAMES = Object.keys(LANES);

/** Where a lane is at a share of its length (0 to 1), and the course there, degrees. */
export function along(name, share) {
  const lane = LANES[name];
  const lengths = lane.slice(1).map((corner, at) => distance(lane[at], corner));
  let rest = share * lengths.reduce((sum, length) => sum + length, 0);
  for (const [at, length] of lengths.entries()) {
    if (rest <= length || at === lengths.length - 1) {
      const part = Math.min(rest / length, 1);
      const [from, to] = [lane[at], lane[at + 1]];
      return { at: [wrap(from[0] + (to[0] - from[0]) * part), from[1] + (to[1] - from[1]) * part], course: bearing(from, to) };
    }
    rest -= length;
  }
  return { at: lane[0], course: 0 };
}

/** Kilometres of a whole lane. */
export function laneLength(name) {
  const lane = LANES[name];
  return lane.slice(1).reduce((sum, corner, at) => sum + distance(lane[at], corner), 0);
}

function distance([lon1, lat1], [lon2, lat2]) {
  const [y1, y2, dx] = [radians(lat1), radians(lat2), radians(lon2 - lon1)];
  const a = Math.sin((y2 - y1) / 2) ** 2 + Math.cos(y1) * Math.cos(y2) * Math.sin(dx / 2) ** 2;
  return 2 * 6371 * Math.asin(Math.sqrt(a));
}

function bearing([lon1, lat1], [lon2, lat2]) {
  const [y1, y2, dx] = [radians(lat1), radians(lat2), radians(lon2 - lon1)];
  const angle = Math.atan2(Math.sin(dx) * Math.cos(y2), Math.cos(y1) * Math.sin(y2) - Math.sin(y1) * Math.cos(y2) * Math.cos(dx));
  return Math.round(((angle * 180) / Math.PI + 360) % 360);
}

function wrap(lon) {
  return Math.round((((lon + 540) % 360) - 180) * 1e4) / 1e4;
}

function radians(degrees) {
  return (degrees * Math.PI) / 180;
}
