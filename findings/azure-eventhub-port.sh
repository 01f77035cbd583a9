#!/usr/bin/env bash
# Microsoft's Python SDK azure-eventhub 5.15.1 goes to port 5671, whatever port stands in the Endpoint of a connection string.
#
# A connection string of Event Hubs may name a port, Endpoint=sb://host:15671/, and libraries of other languages go there. This one
# does so only for Microsoft's own emulator (UseDevelopmentEmulator=true, without TLS). With TLS the port is dropped without a word; it
# counts again where it stands in `custom_endpoint_address`.
#
# Here two listeners say which of them a consumer with the port 15671 calls. No TLS has to come about for that.
#
# Seen: "Endpoint=sb://localhost:15671/ was called at 5671; custom_endpoint_address at 15671".
#
# What follows for a local Event Hub: it has to be at 5671, or its users have to be told of custom_endpoint_address.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check azure-eventhub==5.15.1
cat >finding.py <<'PYTHON'
import os
import queue
import socket
import threading

from azure.eventhub import EventHubConsumerClient, TransportType

STRING = "Endpoint=sb://localhost:15671/;SharedAccessKeyName=service;SharedAccessKey=a2V5;EntityPath=hub"
called = queue.Queue()


def listen(port):
    server = socket.create_server(("127.0.0.1", port))
    while True:
        connection, _ = server.accept()
        called.put(port)
        connection.close()


def called_by(**options):
    client = EventHubConsumerClient.from_connection_string(
        STRING, "$Default", retry_total=0, auth_timeout=5, **options
    )

    def ask():
        try:
            client.get_eventhub_properties()
        except Exception:
            pass

    threading.Thread(target=ask, daemon=True).start()
    return called.get(timeout=60)


for port in (5671, 15671):
    threading.Thread(target=listen, args=(port,), daemon=True).start()
by_string = called_by()
while not called.empty():
    called.get()
by_custom = called_by(
    custom_endpoint_address="sb://localhost:15671", transport_type=TransportType.Amqp
)
print(f"Endpoint=sb://localhost:15671/ was called at {by_string}; custom_endpoint_address at {by_custom}", flush=True)
os._exit(0 if (by_string, by_custom) == (5671, 15671) else 1)
PYTHON
venv/bin/python finding.py
