// Fetches the land once, however often the map is opened.

import { decodeLand, type LandFile, type Ring } from "./land.js";

let loading: Promise<readonly Ring[]> | null = null;

export function loadLand(): Promise<readonly Ring[]> {
  loading ??= fetch("land.json", { credentials: "same-origin" }).then(async (response) => {
    if (!response.ok) throw new Error(`land.json: ${response.status}`);
    return decodeLand((await response.json()) as LandFile);
  });
  loading.catch(() => (loading = null));
  return loading;
}
