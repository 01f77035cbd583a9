#!/usr/bin/env bash
# Microsoft's Python SDK azure-iot-device 2.14.0 asks DPS for the result after two seconds, whatever it was asked to wait.
#
# DPS answers a registration with 202 and `retry-after`, at Azure 3 seconds, longer when it is busy, and a device polls then. The
# SDK reads that number from every answer, and uses it between polls; but the first poll comes after a constant of its own,
# DEFAULT_POLLING_INTERVAL, and so does every first poll of a fleet that DPS has just asked for patience.
#
# Here a DPS of forty lines answers with retry-after=8 and says when it was asked again.
#
# Seen: "asked to wait 8 s; polled after 2 s".
#
# What follows for a tracker: a client that honours the number is slower than the SDK in a comparison of cold starts, and right;
# and a DPS for tests must take polls that come too early.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check azure-iot-device==2.14.0
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=box-7 \
    -addext subjectAltName=IP:127.0.83.54 -keyout key.pem -out certificate.pem 2>openssl.log
cat >finding.py <<'PYTHON'
import asyncio
import os
import ssl
import time

from azure.iot.device import X509
from azure.iot.device.aio import ProvisioningDeviceClient

HOST, WAIT = "127.0.83.54", 8
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain("certificate.pem", "key.pem")
waited = asyncio.Queue()


async def packet(reader):
    kind, length, shift = (await reader.readexactly(1))[0], 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, await reader.readexactly(length)


async def serve(reader, writer):
    while True:
        kind, body = await packet(reader)
        if kind >> 4 == 1:
            writer.write(b"\x20\x02\x00\x00")
        elif kind >> 4 == 8:
            writer.write(b"\x90\x03" + body[:2] + b"\x01")
        elif kind >> 4 == 3:
            size = int.from_bytes(body[:2], "big")
            topic, number = body[2 : 2 + size].decode(), body[2 + size : 4 + size]
            writer.write(b"\x40\x02" + number)
            if "register" in topic:
                asked = time.monotonic()
                request = topic.split("$rid=")[1].split("&")[0]
                name = f"$dps/registrations/res/202/?$rid={request}&retry-after={WAIT}".encode()
                answer = len(name).to_bytes(2, "big") + name + b'{"operationId":"4.a","status":"assigning"}'
                writer.write(b"\x30" + bytes([len(answer) & 127 | 128, len(answer) >> 7]) + answer)
            else:
                await waited.put(time.monotonic() - asked)


async def main():
    await asyncio.start_server(serve, HOST, 8883, ssl=tls)
    client = ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host=HOST,
        registration_id="box-7",
        id_scope="0ne00000001",
        x509=X509(cert_file="certificate.pem", key_file="key.pem"),
        server_verification_cert=open("certificate.pem").read(),
    )
    asyncio.ensure_future(client.register())
    print(f"asked to wait {WAIT} s; polled after {await asyncio.wait_for(waited.get(), 30):.0f} s", flush=True)
    os._exit(0)  # The SDK has threads that would go on.


asyncio.run(main())
PYTHON
timeout 60 venv/bin/python finding.py 2>log | tee seen
grep -qx 'asked to wait 8 s; polled after 2 s' seen
