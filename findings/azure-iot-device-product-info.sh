#!/usr/bin/env bash
# azure-iot-device 2.14.0 (Python): what a program calls itself becomes the model of its digital twin if it begins with "dtmi".
#
# The SDK has no parameter for the ID of a model. `product_info`, described as free text about the device, is looked at: with the
# four letters "dtmi" at its beginning it goes into the user name as `model-id`, whole, and the user agent (`DeviceClientType`) loses
# it; any other text is put behind the user agent. No colon and no version is asked for, so "dtmi-logger/1.0" announces a model of
# that name, and who wants both, a model and a product, can't have them.
#
# Seen: "dtmi:com:example:Box;1 -> model-id", "dtmi-logger/1.0 -> model-id", "box/1.0 -> DeviceClientType".
#
# What follows: a hub sees what it can't parse as the ID of a model; a device tells its product there or its model, never both.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check azure-iot-device==2.14.0 paho-mqtt==1.6.1
seen=$(
    venv/bin/python - 2>/dev/null <<'PYTHON'
from unittest import mock
from urllib.parse import parse_qs

import paho.mqtt.client
from azure.iot.device import IoTHubDeviceClient

LOGIN = "HostName=hub.example;DeviceId=box;SharedAccessKey=c2VjcmV0LXNlY3JldC1zZWNyZXQ="


def member(product):
    names = []
    take = lambda self, username, password=None: names.append(username)
    with mock.patch.object(paho.mqtt.client.Client, "username_pw_set", take), mock.patch.object(
        paho.mqtt.client.Client, "connect", side_effect=OSError
    ):
        client = IoTHubDeviceClient.create_from_connection_string(
            LOGIN, product_info=product, connection_retry=False
        )
        try:
            client.connect()
        except Exception:
            pass
        client.shutdown()
    members = parse_qs(names[0].partition("?")[2])
    return next(name for name, values in members.items() if any(product in value for value in values))


print(", ".join(f"{product} -> {member(product)}" for product in ["dtmi:com:example:Box;1", "dtmi-logger/1.0", "box/1.0"]))
PYTHON
)
echo "$seen"
[ "$seen" = "dtmi:com:example:Box;1 -> model-id, dtmi-logger/1.0 -> model-id, box/1.0 -> DeviceClientType" ]
