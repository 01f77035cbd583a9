"""A device with Microsoft's Python SDK, used as its samples use it: the asyncio clients, options as they are by default.

See programs.py for what the environment says, and for the lines that are printed.
"""

import asyncio
import json
import os
import sys
import time

from azure.iot.device import X509, Message
from azure.iot.device.aio import IoTHubDeviceClient, ProvisioningDeviceClient


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def message(number):
    now = time.time()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
    body = f'{{"n":{number},"time":"{stamp}","pad":"'
    body += "x" * (int(os.environ["PEER_BODY"]) - len(body) - 2) + '"}'
    made = Message(body)
    made.content_type, made.content_encoding = "application/json", "utf-8"
    return made


async def send(client, number):
    try:
        await client.send_message(message(number))
        if number == 0:
            say("acknowledged")
    except Exception as error:
        say("failed", n=number, error=repr(error))


async def every_second(client):
    """A reading a second, on a grid, whatever becomes of those before: the SDK queues what can't be sent."""
    sending = set()
    begun = time.monotonic()
    number = 0
    while True:
        task = asyncio.create_task(send(client, number))
        sending.add(task)
        task.add_done_callback(sending.discard)
        number += 1
        await asyncio.sleep(begun + number - time.monotonic())


async def burst(client, count, in_flight):
    await send(client, 0)
    room = asyncio.Semaphore(in_flight)

    async def one(number):
        async with room:
            await send(client, number)

    say("ready")
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await asyncio.gather(*(one(number) for number in range(1, count + 1)))
    say("done")
    await asyncio.sleep(3600)


async def main():
    environment = os.environ
    x509 = X509(cert_file=environment["PEER_CERTIFICATE"], key_file=environment["PEER_KEY"])
    with open(environment["PEER_CA"], encoding="ascii") as file:
        authority = file.read()
    provisioning = ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host="global.azure-devices-provisioning.net",
        registration_id=environment["PEER_ID"],
        id_scope=environment["PEER_ID_SCOPE"],
        x509=x509,
        server_verification_cert=authority,
    )
    state = (await provisioning.register()).registration_state
    client = IoTHubDeviceClient.create_from_x509_certificate(
        x509=x509,
        hostname=state.assigned_hub,
        device_id=state.device_id,
        server_verification_cert=authority,
    )

    def changed():
        say("up" if client.connected else "down")

    client.on_connection_state_change = changed
    await client.connect()
    if "PEER_BURST" in environment:
        await burst(client, int(environment["PEER_BURST"]), int(environment["PEER_IN_FLIGHT"]))
    else:
        await every_second(client)


asyncio.run(main())
