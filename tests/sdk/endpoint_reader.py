"""Reads a hub's built-in endpoint with azure-eventhub until every message of every device was there, and counts what is
missing or out of order: endpoint_reader.py LAB_DIRECTORY {live|history}."""

import json
import sys
import threading

from azure.eventhub import EventHubConsumerClient, TransportType

from endpoint_tally import Tally

PATIENCE = 240


def main():
    lab, mode = sys.argv[1:3]
    with open(f"{lab}/load.json") as file:
        told = json.loads(file.readline())
    string = next(s["named"] for s in told["connectionStrings"] if s["named"].startswith("Endpoint=sb://iothub-ns-hub-1"))
    tally, lock = Tally(told["messages"]), threading.Lock()
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
                device = event.system_properties[b"iothub-connection-device-id"]
                tally.take(json.loads(event.body_as_str()), device.decode())
            if tally.is_over:
                done.set()

    def receive():
        client.receive_batch(take, max_batch_size=300, max_wait_time=1, starting_position="-1", prefetch=300)

    receiving = threading.Thread(target=receive, daemon=True)
    receiving.start()
    done.wait(PATIENCE)
    client.close()
    receiving.join(20)
    tally.tell(f"azure-eventhub (Python), {mode}")


main()
