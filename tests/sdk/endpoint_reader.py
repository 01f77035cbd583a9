"""Reads a hub's built-in endpoint with azure-eventhub until every message of every device was there, and counts what is
missing or out of order: endpoint_reader.py LAB_DIRECTORY {live|history}."""

import json
import sys
import threading
import time

from azure.eventhub import EventHubConsumerClient, TransportType

PATIENCE = 240


def main():
    lab, mode = sys.argv[1:3]
    with open(f"{lab}/load.json") as file:
        told = json.loads(file.readline())
    string = next(s["named"] for s in told["connectionStrings"] if s["named"].startswith("Endpoint=sb://iothub-ns-hub-1"))
    wanted, following, lock = told["messages"], {}, threading.Lock()
    seen = {"read": 0, "repeated": 0, "outOfOrder": 0, "begun": None, "ended": None}
    done = threading.Event()
    # This client takes a port with TLS from here alone, not from the connection string.
    client = EventHubConsumerClient.from_connection_string(
        string,
        consumer_group="$Default",
        connection_verify=f"{lab}/server-ca.pem",
        custom_endpoint_address=f"sb://{told['address']}:{told['amqpPort']}",
        transport_type=TransportType.Amqp,
    )

    def take(_partition, events):
        with lock:
            for event in events:
                body = json.loads(event.body_as_str())
                device, number = body["device"], body["n"]
                assert event.system_properties[b"iothub-connection-device-id"] == device.encode()
                expected = following.get(device, 0)
                if number == expected:
                    following[device] = expected + 1
                elif number < expected:
                    seen["repeated"] += 1
                else:
                    seen["outOfOrder"] += 1
                seen["read"] += 1
                seen["begun"] = seen["begun"] or time.monotonic()
                seen["ended"] = time.monotonic()
            if seen["outOfOrder"] or sum(following.values()) >= wanted:
                done.set()

    def receive():
        client.receive_batch(take, max_batch_size=300, max_wait_time=1, starting_position="-1", prefetch=300)

    receiving = threading.Thread(target=receive, daemon=True)
    receiving.start()
    done.wait(PATIENCE)
    client.close()
    receiving.join(20)
    seconds = (seen["ended"] or 0) - (seen["begun"] or 0)
    missing = wanted - sum(following.values())
    print(json.dumps({
        "reader": f"azure-eventhub (Python), {mode}",
        "perSecond": round(seen["read"] / seconds) if seconds else None,
        "missing": missing,
        "outOfOrder": seen["outOfOrder"],
        "repeated": seen["repeated"],
    }))
    sys.exit(1 if missing or seen["outOfOrder"] else 0)


main()
