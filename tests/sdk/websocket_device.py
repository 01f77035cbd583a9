"""Microsoft's Python device SDK through WebSockets, on port 443: provisioning with X.509, and a hub by certificate and by key."""

import asyncio

from azure.iot.device import X509, Message
from azure.iot.device.aio import IoTHubDeviceClient, ProvisioningDeviceClient

from checks import emulator, file, run, service, text

CA = text("server-ca.pem")
HUB = "hub-1.azure-devices.net"
GROUP_DEVICE = "group-device"


def hub(method, path, body=None):
    return service("hub-1", "iothubowner", method, path, body)


def enroll():
    def dps(path, body):
        try:
            service("emulator-dps", "provisioningserviceowner", "PUT", path, body)
        except AssertionError as error:
            # The checks before these may have made them.
            if "409" not in str(error):
                raise

    dps("/certificates/sdk-root", {"properties": {"certificate": text("root.pem"), "isVerified": True}})
    signing = {"signingCertificates": {"primary": {"certificate": text("factory.pem")}}}
    group = {"attestation": {"type": "x509", "x509": signing}, "allocationPolicy": "static", "iotHubs": [HUB]}
    dps("/enrollmentGroups/sdk", group)


async def talk(device, name):
    await device.connect()
    try:
        # One of them does not fit into a frame of the emulator's.
        for body in ["through a WebSocket", "x" * 200_000]:
            await device.send_message(Message(body))
        twin = await device.get_twin()
        assert "desired" in twin, twin
        changed = asyncio.get_running_loop().create_future()
        device.on_twin_desired_properties_patch_received = lambda patch: changed.set_result(patch)
        # Handlers subscribe by themselves, and don't say when they have.
        await device.patch_twin_reported_properties({"transport": "websocket"})
        await asyncio.sleep(1)
        hub("PATCH", f"/twins/{name}", {"properties": {"desired": {"overWebSocket": True}}})
        patch = await asyncio.wait_for(changed, 20)
        assert patch["overWebSocket"] is True, patch
    finally:
        await device.shutdown()


async def python_device_is_provisioned_through_a_websocket_and_lives_at_its_hub():
    enroll()
    x509 = X509(cert_file=file(f"{GROUP_DEVICE}.pem"), key_file=file(f"{GROUP_DEVICE}-key.pem"))
    client = ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host="global.azure-devices-provisioning.net",
        registration_id=GROUP_DEVICE,
        id_scope=emulator["idScope"],
        x509=x509,
        server_verification_cert=CA,
        websockets=True,
    )
    result = await client.register()
    assert result.status == "assigned", result
    await talk(
        IoTHubDeviceClient.create_from_x509_certificate(
            x509=x509, hostname=HUB, device_id=GROUP_DEVICE, server_verification_cert=CA, websockets=True
        ),
        GROUP_DEVICE,
    )


async def python_device_lives_at_its_hub_by_key_through_a_websocket():
    name = "websocket-keyed"
    made = hub("PUT", f"/devices/{name}", {"deviceId": name, "authentication": {"type": "sas"}})
    key = made["authentication"]["symmetricKey"]["primaryKey"]
    await talk(
        IoTHubDeviceClient.create_from_symmetric_key(
            symmetric_key=key, hostname=HUB, device_id=name, server_verification_cert=CA, websockets=True
        ),
        name,
    )
    hub("DELETE", f"/devices/{name}")


run(
    python_device_is_provisioned_through_a_websocket_and_lives_at_its_hub,
    python_device_lives_at_its_hub_by_key_through_a_websocket,
)
