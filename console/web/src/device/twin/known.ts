// The agent's own desired properties, with a value to begin from (README, "Desired properties").

import type { Json } from "../../api-types.js";

export const KNOWN: readonly { name: string; about: string; example: Json }[] = [
  { name: "telemetryInterval", about: "seconds between readings", example: 300 },
  { name: "intervals", about: "seconds between readings by state", example: { moving: 300, still: 3600, inFence: 1800, alarm: 60 } },
  { name: "alarms", about: "goods by one word, or bounds", example: { profile: "gouda" } },
  { name: "delivery", about: "how readings share messages", example: { batchBacklog: true, gzip: true } },
  { name: "evidence", about: "readings are chained and signed", example: true },
  { name: "firmware", about: "the version that should run", example: "1.0.0" },
  {
    name: "geofences",
    about: "named places",
    example: [{ type: "Feature", properties: { name: "gate", radius: 150 }, geometry: { type: "Point", coordinates: [4.3, 51.95] } }],
  },
  { name: "containerNumber", about: "ISO 6346, painted on the box", example: "MSKU9070323" },
  { name: "trip", about: "places where trips begin and end", example: { startsOnLeaving: "yard", endsOnReaching: "gate" } },
];
