#!/usr/bin/env bash
# azure-eventhub 5.15.1 (Python) can't open a connection to a peer built on Apache Qpid Proton: IndexError.
#
# AMQP 1.0 lets whoever writes a list leave out the nulls at its end (part 1, section 1.4: they are the same list), and Proton's
# encoder always does. The client's own AMQP (`_pyamqp`) takes the fields of Open, Begin and Attach by their numbers from the list
# as it came, without filling it up. A peer that has no properties to tell, which is any peer that sets nothing, ends it in Open;
# one that tells properties in its Open ends it in Begin, where Proton lets no application set any.
#
# Azure writes out every field, so nobody meets this there; a gateway, a test double or an emulator on Proton (or on any encoder that
# leaves out what may be left out) is what meets it. uamqp and Proton's own clients read such lists.
#
# Here Proton's Python binding 0.40.0 listens, without TLS and with SASL ANONYMOUS, and gives what it has to whoever has credit. The
# package's own ReceiveClient opens a link there, as EventHubConsumerClient lets it; then a client of Proton's does.
#
# Seen: "nothing set: IndexError in _incoming_open; properties in Open: IndexError in _incoming_begin; a client of Proton: received".
#
# What follows for those who stand between devices and readers: write Open, Begin and Attach with all their fields.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
# Proton is built here: a C compiler and Python's headers are needed.
venv/bin/python -m pip install --quiet --disable-pip-version-check azure-eventhub==5.15.1 python-qpid-proton==0.40.0
cat >peer.py <<'PYTHON'
import sys

from proton import Message
from proton.handlers import MessagingHandler
from proton.reactor import Container


class Peer(MessagingHandler):
    def on_start(self, event):
        event.container.listen(sys.argv[1])

    def on_connection_opening(self, event):
        if sys.argv[2:]:
            event.connection.properties = {"product": sys.argv[2]}

    def on_link_opening(self, event):
        event.link.source.address = event.link.remote_source.address
        event.link.target.address = event.link.remote_target.address

    def on_sendable(self, event):
        while event.sender.credit:
            event.sender.send(Message(body=7))


Container(Peer()).run()
PYTHON
cat >finding.py <<'PYTHON'
import sys
import time
import traceback
from types import SimpleNamespace

from azure.eventhub._pyamqp import ReceiveClient
from azure.eventhub._pyamqp.sasl import SASLAnonymousCredential
from proton.utils import BlockingConnection

ADDRESS = "hub/ConsumerGroups/$Default/Partitions/0"


def azure(port):
    received = []
    client = ReceiveClient(
        "127.0.83.56",
        ADDRESS,
        auth=SimpleNamespace(sasl=SASLAnonymousCredential(), auth_type="anonymous"),
        custom_endpoint_address=f"sb://127.0.83.56:{port}",
        use_tls=False,
        link_credit=10,
        keep_alive_interval=0,
        streaming_receive=True,
        message_received_callback=received.append,
    )
    try:
        client.open()
        end = time.monotonic() + 10
        while time.monotonic() < end and not received:
            client.do_work(batch=10)
    except IndexError as error:
        return "IndexError in " + traceback.extract_tb(error.__traceback__)[-1].name
    return "received" if received else "nothing"


def proton(port):
    receiver = BlockingConnection(f"127.0.83.56:{port}").create_receiver(ADDRESS)
    return "received" if receiver.receive(timeout=10).body == 7 else "something else"


plain, told = sys.argv[1:]
print(f"nothing set: {azure(plain)}; properties in Open: {azure(told)}; a client of Proton: {proton(plain)}")
PYTHON
venv/bin/python peer.py 127.0.83.56:25673 &
plain=$!
venv/bin/python peer.py 127.0.83.56:25674 peer &
told=$!
trap 'kill "$plain" "$told"; rm -rf "$folder"' EXIT
sleep 2
seen=$(venv/bin/python finding.py 25673 25674)
echo "$seen"
[ "$seen" = "nothing set: IndexError in _incoming_open; properties in Open: IndexError in _incoming_begin; a client of Proton: received" ]
