"""The same with uamqp 1.6, whose calls are those that the azure-iot extension of az makes for monitor-events:
endpoint_reader_uamqp.py LAB_DIRECTORY {live|history}. It knows the port 5671 alone."""

import json
import sys
import time

import uamqp
from uamqp.authentication import SASTokenAuth

PATIENCE = 240


def main():
    lab, mode = sys.argv[1:3]
    with open(f"{lab}/load.json") as file:
        told = json.loads(file.readline())
    string = next(s["named"] for s in told["connectionStrings"] if s["named"].startswith("Endpoint=sb://iothub-ns-hub-1"))
    key = string.split("SharedAccessKey=")[1].split(";")[0]
    host, hub = told["address"], "hub-1"
    following = {}
    seen = {"read": 0, "repeated": 0, "outOfOrder": 0, "begun": None, "ended": None}

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
    wanted = told["messages"]
    while sum(following.values()) < wanted and not seen["outOfOrder"] and time.monotonic() < until:
        for one in clients:
            for message in one.receive_message_batch(max_batch_size=300, timeout=50):
                body = json.loads(b"".join(message.get_data()))
                assert message.annotations[b"iothub-connection-device-id"] == body["device"].encode()
                device, number = body["device"], body["n"]
                expected = following.get(device, 0)
                if number == expected:
                    following[device] = expected + 1
                elif number < expected:
                    seen["repeated"] += 1
                else:
                    seen["outOfOrder"] += 1
                seen["read"] += 1
                seen["ended"] = time.monotonic()
                seen["begun"] = seen["begun"] or seen["ended"]
    for one in clients:
        one.close()
    seconds = (seen["ended"] or 0) - (seen["begun"] or 0)
    missing = wanted - sum(following.values())
    print(json.dumps({
        "reader": f"uamqp (as az), {mode}",
        "perSecond": round(seen["read"] / seconds) if seconds else None,
        "missing": missing,
        "outOfOrder": seen["outOfOrder"],
        "repeated": seen["repeated"],
    }))
    sys.exit(1 if missing or seen["outOfOrder"] else 0)


main()
