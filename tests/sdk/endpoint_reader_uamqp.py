"""The same with uamqp 1.6, whose calls are those that the azure-iot extension of az makes for monitor-events:
endpoint_reader_uamqp.py LAB_DIRECTORY {live|history}. It knows the port 5671 alone."""

import json
import sys
import time

import uamqp
from uamqp.authentication import SASTokenAuth

from endpoint_tally import Tally

PATIENCE = 240


def main():
    lab, mode = sys.argv[1:3]
    with open(f"{lab}/load.json") as file:
        told = json.loads(file.readline())
    string = next(s["named"] for s in told["connectionStrings"] if s["named"].startswith("Endpoint=sb://iothub-ns-hub-1"))
    key = string.split("SharedAccessKey=")[1].split(";")[0]
    host, hub = told["address"], "hub-1"
    tally = Tally(told["messages"])

    def auth():
        return SASTokenAuth.from_shared_access_key(
            f"sb://{host}/{hub}", "service", key, expiry=3600, timeout=60, verify=f"{lab}/server-ca.pem"
        )

    def client(partition):
        address = f"amqps://{host}/{hub}/ConsumerGroups/$Default/Partitions/{partition}"
        source = uamqp.address.Source(address)
        source.set_filter(b"amqp.annotation.x-opt-enqueuedtimeutc > 0")
        return uamqp.ReceiveClient(source, auth=auth(), timeout=5000, prefetch=300)

    clients = [client(partition) for partition in range(4)]
    for one in clients:
        one.open()
    until = time.monotonic() + PATIENCE
    while not tally.is_over and time.monotonic() < until:
        for one in clients:
            for message in one.receive_message_batch(max_batch_size=300, timeout=50):
                device = message.annotations[b"iothub-connection-device-id"].decode()
                tally.take(json.loads(b"".join(message.get_data())), device)
    for one in clients:
        one.close()
    tally.tell(f"uamqp (as az), {mode}")


main()
