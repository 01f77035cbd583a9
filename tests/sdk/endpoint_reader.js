// Reads a hub's built-in endpoint with @azure/event-hubs until every message of every device was there, and counts what is
// missing or out of order: endpoint_reader.js LAB_DIRECTORY {live|history}.
"use strict";

const { readFileSync } = require("node:fs");
const { EventHubConsumerClient, earliestEventPosition } = require("@azure/event-hubs");

const PATIENCE = 240_000;

async function main() {
  const [lab, mode] = process.argv.slice(2);
  const told = JSON.parse(readFileSync(`${lab}/load.json`, "utf8").split("\n")[0]);
  const named = told.connectionStrings.map((one) => one.named);
  const endpoint = named.find((one) => one.startsWith("Endpoint=sb://iothub-ns-hub-1"));
  const local = endpoint.replace(/^Endpoint=sb:\/\/[^/]*/, `Endpoint=sb://${told.address}:${told.amqpPort}`);
  const client = new EventHubConsumerClient("$Default", local);
  const following = new Map();
  const seen = { read: 0, distinct: 0, repeated: 0, outOfOrder: 0, begun: undefined, ended: undefined };
  let finish;
  const done = new Promise((resolve) => { finish = resolve; });
  const timer = setTimeout(finish, PATIENCE);
  const subscription = client.subscribe(
    {
      async processEvents(events) {
        for (const event of events) {
          const { device, n } = event.body;
          if (event.systemProperties["iothub-connection-device-id"] !== device) {
            throw new Error(`a message of ${device} says ${event.systemProperties["iothub-connection-device-id"]}`);
          }
          const expected = following.get(device) ?? 0;
          if (n === expected) {
            following.set(device, expected + 1);
            seen.distinct += 1;
          } else if (n < expected) {
            seen.repeated += 1;
          } else {
            seen.outOfOrder += 1;
          }
          seen.read += 1;
          seen.ended = performance.now();
          seen.begun ??= seen.ended;
        }
        if (seen.outOfOrder > 0 || seen.distinct >= told.messages) finish();
      },
      async processError(error) {
        console.error(error.message);
      },
    },
    { startPosition: earliestEventPosition, maxBatchSize: 300, maxWaitTimeInSeconds: 1, prefetchCount: 900 },
  );
  await done;
  clearTimeout(timer);
  await subscription.close();
  await client.close();
  const seconds = (seen.ended - seen.begun) / 1000;
  const missing = told.messages - seen.distinct;
  console.log(JSON.stringify({
    reader: `@azure/event-hubs (Node), ${mode}`,
    perSecond: Math.round(seen.read / seconds),
    missing,
    outOfOrder: seen.outOfOrder,
    repeated: seen.repeated,
  }));
  process.exit(missing > 0 || seen.outOfOrder > 0 ? 1 : 0);
}

main();
