"""Modules by Microsoft's SDKs for Python: the service makes them, and each lives at its hub as a device does."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import ssl
import time
import urllib.parse

from azure.iot.device import MethodResponse
from azure.iot.device.aio import IoTHubModuleClient
from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import CloudToDeviceMethod, QuerySpecification, Twin, TwinProperties

from checks import connection_string, emulator, run, status_of, text

HUB = "hub-1.azure-devices.net"
CA = text("server-ca.pem")
manager = IoTHubRegistryManager.from_connection_string(connection_string("hub-1", "iothubowner"))


def python_service_creates_updates_and_deletes_modules():
    manager.create_device_with_sas("py-modules", "", "", "enabled")
    made = manager.create_module_with_sas("py-modules", "m1", "me", "", "")
    assert (made.managed_by, made.module_id) == ("me", "m1"), made
    key = made.authentication.symmetric_key
    assert status_of(lambda: manager.create_module_with_sas("py-modules", "m1", "me", "", "")) == 409
    swapped = manager.update_module_with_sas("py-modules", "m1", "you", made.etag, key.secondary_key, key.primary_key)
    assert swapped.authentication.symmetric_key.primary_key == key.secondary_key
    stale = lambda: manager.update_module_with_sas("py-modules", "m1", "you", made.etag, key.primary_key, key.secondary_key)
    assert status_of(stale) == 412
    manager.create_module_with_x509("py-modules", "m2", "", "A" * 40, "B" * 40)
    manager.create_module_with_certificate_authority("py-modules", "m3", "")
    assert [module.module_id for module in manager.get_modules("py-modules")] == ["m1", "m2", "m3"]
    manager.delete_module("py-modules", "m3")
    assert status_of(lambda: manager.get_module("py-modules", "m3")) == 404
    twin = manager.update_module_twin("py-modules", "m2", Twin(tags={"a": 1}, properties=TwinProperties(desired={"x": 1})))
    assert twin.tags == {"a": 1} and twin.properties.desired["x"] == 1 and twin.module_id == "m2", twin
    query = QuerySpecification(query="SELECT * FROM devices.modules WHERE deviceId = 'py-modules' AND tags.a = 1")
    assert [twin.module_id for twin in manager.query_iot_hub(query).items] == ["m2"]


async def python_module_lives_at_its_hub():
    key = manager.get_module("py-modules", "m1").authentication.symmetric_key.primary_key
    login = f"HostName={HUB};DeviceId=py-modules;ModuleId=m1;SharedAccessKey={key}"
    module = IoTHubModuleClient.create_from_connection_string(login, server_verification_cert=CA)
    loop = asyncio.get_running_loop()
    await module.connect()
    try:
        await module.send_message("hello")
        await module.patch_twin_reported_properties({"up": True})
        assert (await module.get_twin())["reported"]["up"] is True
        patches = asyncio.Queue()
        module.on_twin_desired_properties_patch_received = patches.put_nowait
        # Granted, though a hub sends nothing there.
        module.on_message_received = lambda message: None

        async def answer(request):
            await module.send_method_response(MethodResponse.create_from_method_request(request, 200, {"echo": request.payload}))

        module.on_method_request_received = answer
        await asyncio.sleep(1)
        change = Twin(properties=TwinProperties(desired={"interval": 7}))
        await loop.run_in_executor(None, manager.update_module_twin, "py-modules", "m1", change)
        assert (await asyncio.wait_for(patches.get(), 20))["interval"] == 7
        method = CloudToDeviceMethod(method_name="echo", payload={"a": 1}, response_timeout_in_seconds=20, connect_timeout_in_seconds=20)
        called = await loop.run_in_executor(None, manager.invoke_device_module_method, "py-modules", "m1", method)
        assert (called.status, called.payload) == (200, {"echo": {"a": 1}}), called
        assert manager.get_module("py-modules", "m1").connection_state == "Connected"
    finally:
        await module.shutdown()


def python_device_looks_after_its_own_modules():
    key = manager.get_device("py-modules").authentication.symmetric_key.primary_key
    resource = urllib.parse.quote(f"{HUB}/devices/py-modules", safe="")
    expiry = str(int(time.time()) + 600)
    signature = hmac.new(base64.b64decode(key), f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(signature), safe="")
    token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}"

    def call(method, device, body=None):
        context = ssl.create_default_context(cadata=CA)
        connection = http.client.HTTPSConnection(HUB, emulator["servicePort"], context=context, timeout=30)
        headers = {"Authorization": token, "Content-Type": "application/json"}
        connection.request(method, f"/devices/{device}/modules/own?api-version=2021-04-12", body, headers)
        response = connection.getresponse()
        return response.status, response.read()

    status, body = call("PUT", "py-modules", json.dumps({"authentication": {"type": "none"}}))
    assert (status, json.loads(body)["authentication"]["type"]) == (200, "none"), body
    assert call("DELETE", "py-modules")[0] == 204
    assert call("PUT", "another", "{}")[0] == 401


def python_service_makes_edge_devices():
    edge = manager.create_device_with_sas("py-edge", "", "", "enabled", iot_edge=True)
    assert edge.device_scope.startswith("ms-azure-iot-edge://py-edge-"), edge
    assert [module.module_id for module in manager.get_modules("py-edge")] == ["$edgeAgent", "$edgeHub"]
    below = manager.create_device_with_sas("py-below", "", "", "enabled", device_scope=edge.device_scope)
    assert below.parent_scopes == [edge.device_scope], below
    manager.delete_device("py-edge")
    assert manager.get_device("py-below").device_scope is None


run(
    python_service_creates_updates_and_deletes_modules,
    python_module_lives_at_its_hub,
    python_device_looks_after_its_own_modules,
    python_service_makes_edge_devices,
)
