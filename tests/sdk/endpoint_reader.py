"""Reads a hub's built-in endpoint with azure-eventhub until every message of every device was there, and counts what is
missing or out of order: endpoint_reader.py LAB_DIRECTORY {live|history}.

The order is that of the hub's sequence numbers: this client itself hands events over out of order now and then
(findings/azure-eventhub-two-readers.sh), which is told as `swapped`."""

import json
import sys
import threading
import time

from azure.eventhub import EventHubConsumerClient, TransportType

from endpoint_tally import Tally

PATIENCE = 240


def main():
    lab, mode = sys.argv[1:3]
    with open(f"{lab}/load.json") as file:
        told = json.loads(file.readline())
    string = next(s["named"] for s in told["connectionStrings"] if s["named"].startswith("Endpoint=sb://iothub-ns-hub-1"))
    lock, done = threading.Lock(), threading.Event()
    # Of each partition: sequence number, device, body, and when it came.
    came, distinct, swapped = {}, set(), 0
    # This client takes a port with TLS from here alone, not from the connection string.
    client = EventHubConsumerClient.from_connection_string(
        string,
        consumer_group="$Default",
        connection_verify=f"{lab}/server-ca.pem",
        custom_endpoint_address=f"sb://{told['address']}:{told['amqpPort']}",
        transport_type=TransportType.Amqp,
    )

    def take(partition, events):
        nonlocal swapped
        with lock:
            before = came.setdefault(partition.partition_id, [])
            for event in events:
                device = event.system_properties[b"iothub-connection-device-id"].decode()
                body = json.loads(event.body_as_str())
                swapped += bool(before) and event.sequence_number < before[-1][0]
                before.append((event.sequence_number, device, body, time.monotonic()))
                distinct.add((device, body["n"]))
            if len(distinct) >= told["messages"]:
                done.set()

    def receive():
        client.receive_batch(take, max_batch_size=300, max_wait_time=1, starting_position="-1", prefetch=300)

    receiving = threading.Thread(target=receive, daemon=True)
    receiving.start()
    done.wait(PATIENCE)
    client.close()
    receiving.join(20)
    tally = Tally(told["messages"])
    for events in came.values():
        for _, device, body, _ in sorted(events, key=lambda event: event[0]):
            tally.take(body, device)
    times = [at for events in came.values() for *_, at in events]
    tally.begun, tally.ended = min(times, default=0), max(times, default=0)
    tally.tell(f"azure-eventhub (Python), {mode}", swapped=swapped)


main()
