#!/usr/bin/env bash
# The synchronous client of azure-eventhub 5.15.1 reads one connection with two threads, and hands events over out of order.
#
# Event Hubs promise the order of a partition, and the hub's built-in endpoint that of a device. The client keeps a connection
# alive by a thread of its own, which does not send anything: every `keep_alive` seconds (30, and EventHubConsumerClient has no
# option for it) it reads and processes frames as the receiving thread does. Each read has a lock, and what follows has none, so
# of two frames the later can be processed first. It takes a stream that is busy when the time comes, and a little luck: then
# some events of a partition come before one that is older. None comes twice, none is left out.
#
# Here a peer of sixty lines, with the package's own codec, sends numbered messages as fast as there is credit, and the package's own
# ReceiveClient receives them as EventHubConsumerClient lets it, once without that thread and then with a shorter time for it.
#
# Seen: "without the thread: in order; with it: out of order, none twice, none left out".
#
# What follows for those who read a fleet's telemetry: take the order from the events' sequence numbers, or from a count of the
# device's own, and not from the order of calls.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check azure-eventhub==5.15.1
cat >peer.py <<'PYTHON'
import socket
import struct
import sys

from azure.eventhub._pyamqp import performatives as said
from azure.eventhub._pyamqp._decode import decode_frame
from azure.eventhub._pyamqp._encode import encode_frame, encode_value
from azure.eventhub._pyamqp.endpoints import Source, Target


class Stream:
    def __init__(self, connection):
        self.connection, self.bytes = connection, connection.makefile("rb")

    def greet(self, protocol):
        assert self.bytes.read(8) == protocol
        self.connection.sendall(protocol)

    def read(self):
        size, self.channel = struct.unpack(">I2xH", self.bytes.read(8))
        rest = self.bytes.read(size - 8)
        return decode_frame(memoryview(rest)) if rest else (None, None)

    def say(self, *frames, kind=b"\x00"):
        encoded = (encode_frame(frame, kind) for frame in frames)
        self.connection.sendall(b"".join(header + b"\x00\x00" + body for header, body in encoded))


def fields(frame, **values):
    return frame(**{name: values.get(name) for name in frame._fields})


def serve(stream):
    stream.greet(b"AMQP\x03\x01\x00\x00")
    stream.say(said.SASLMechanism(sasl_server_mechanisms=[b"ANONYMOUS"]), kind=b"\x01")
    stream.read()
    stream.say(said.SASLOutcome(code=0, additional_data=None), kind=b"\x01")
    stream.greet(b"AMQP\x00\x01\x00\x00")
    sent = 0
    while True:
        kind, asked = stream.read()
        if kind == said.OpenFrame._code:
            stream.say(fields(said.OpenFrame, container_id="peer", max_frame_size=65536, channel_max=10))
        elif kind == said.BeginFrame._code:
            window = {"next_outgoing_id": 0, "incoming_window": 5000, "outgoing_window": 5000}
            stream.say(fields(said.BeginFrame, remote_channel=stream.channel, handle_max=10, **window))
        elif kind == said.AttachFrame._code:
            modes = {"role": False, "send_settle_mode": 1, "rcv_settle_mode": 0, "initial_delivery_count": 0}
            ends = {"source": Source(address="partition"), "target": Target(address="reader")}
            stream.say(fields(said.AttachFrame, name=asked[0], handle=0, **modes, **ends))
        elif kind == said.FlowFrame._code and asked[6]:
            transfers = []
            for sent in range(sent, (asked[5] or 0) + asked[6]):
                payload = bytearray(b"\x00\x53\x77")
                encode_value(payload, sent)
                numbers = {"delivery_id": sent, "delivery_tag": b"%d" % sent, "message_format": 0}
                transfers.append(fields(said.TransferFrame, handle=0, settled=True, payload=bytes(payload), **numbers))
                sent += 1
            stream.say(*transfers)
        elif kind == said.CloseFrame._code:
            return


server = socket.create_server(("127.0.83.55", int(sys.argv[1])))
while True:
    try:
        serve(Stream(server.accept()[0]))
    except (OSError, struct.error, AssertionError) as error:
        print("peer:", repr(error), file=sys.stderr)
PYTHON
cat >finding.py <<'PYTHON'
import sys
import time
from types import SimpleNamespace

from azure.eventhub._pyamqp import ReceiveClient
from azure.eventhub._pyamqp.sasl import SASLAnonymousCredential

PORT = int(sys.argv[1])
# Threads change places more often, as on a busy machine: luck comes sooner.
sys.setswitchinterval(0.0001)


def receive(keep_alive, seconds):
    numbers = []
    client = ReceiveClient(
        "127.0.83.55",
        "hub/ConsumerGroups/$Default/Partitions/0",
        auth=SimpleNamespace(sasl=SASLAnonymousCredential(), auth_type="anonymous"),
        custom_endpoint_address=f"sb://127.0.83.55:{PORT}",
        use_tls=False,
        link_credit=300,
        keep_alive_interval=keep_alive,
        streaming_receive=True,
        message_received_callback=lambda message: numbers.append(message.value),
    )
    client.open()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.do_work(batch=300)
        if any(a > b for a, b in zip(numbers[-1000:], numbers[-999:])):
            break
    client._shutdown = True
    client.close()
    return numbers


def told(numbers):
    assert numbers, "nothing was received"
    back = sum(a > b for a, b in zip(numbers, numbers[1:]))
    twice = len(numbers) - len(set(numbers))
    left_out = max(numbers) + 1 - len(set(numbers))
    print(f"{len(numbers)} messages, {back} times back, {twice} twice, {left_out} left out", file=sys.stderr)
    if not back:
        return "in order"
    return f"out of order, {'some' if twice else 'none'} twice, {'some' if left_out else 'none'} left out"


without = told(receive(0, 8))
for attempt in range(10):
    with_thread = told(receive(1, 30))
    if with_thread != "in order":
        break
print(f"without the thread: {without}; with it: {with_thread}")
PYTHON
venv/bin/python peer.py 25672 &
peer=$!
trap 'kill "$peer"; rm -rf "$folder"' EXIT
sleep 2
seen=$(venv/bin/python finding.py 25672)
echo "$seen"
[ "$seen" = "without the thread: in order; with it: out of order, none twice, none left out" ]
