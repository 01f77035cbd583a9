"""Microsoft's Python device SDK: provisioning with X.509, and everything a device does at its hub."""

import asyncio

from azure.iot.device import X509, Message, MethodResponse
from azure.iot.device.aio import IoTHubDeviceClient, ProvisioningDeviceClient

from checks import emulator, file, run, service, text

CA = text("server-ca.pem")


def dps(method, path, body=None):
    return service("emulator-dps", "provisioningserviceowner", method, path, body)


def hub(label, method, path, body=None, headers=None):
    return service(label, "iothubowner", method, path, body, headers)


def credentials(name):
    return X509(cert_file=file(f"{name}.pem"), key_file=file(f"{name}-key.pem"))


async def provision(name):
    client = ProvisioningDeviceClient.create_from_x509_certificate(
        provisioning_host="global.azure-devices-provisioning.net",
        registration_id=name,
        id_scope=emulator["idScope"],
        x509=credentials(name),
        server_verification_cert=CA,
    )
    return await client.register()


def enroll():
    certificate = {"properties": {"certificate": text("root.pem"), "isVerified": True}}
    dps("PUT", "/certificates/sdk-root", certificate)
    signing = {"signingCertificates": {"primary": {"certificate": text("factory.pem")}}}
    twin = {"tags": {"fleet": "sdk"}, "properties": {"desired": {"telemetryInterval": 5}}}
    x509 = {"type": "x509", "x509": signing}
    group = {"attestation": x509, "initialTwin": twin, "allocationPolicy": "static"}
    dps("PUT", "/enrollmentGroups/sdk", {**group, "iotHubs": ["hub-1.azure-devices.net"]})
    leaf = {"clientCertificates": {"primary": {"certificate": text("single-device.pem")}}}
    single = {"attestation": {"type": "x509", "x509": leaf}, "deviceId": "renamed"}
    dps("PUT", "/enrollments/single-device", {**single, "iotHubs": ["hub-2.azure-devices.net"]})


async def python_device_is_provisioned_through_a_group():
    enroll()
    result = await provision("group-device")
    assert result.status == "assigned", result
    assert result.registration_state.assigned_hub == "hub-1.azure-devices.net"
    assert result.registration_state.device_id == "group-device"


async def python_device_is_provisioned_through_an_individual_enrollment():
    state = (await provision("single-device")).registration_state
    assert (state.assigned_hub, state.device_id) == ("hub-2.azure-devices.net", "renamed"), state


async def python_device_lives_at_its_hub():
    device = IoTHubDeviceClient.create_from_x509_certificate(
        x509=credentials("group-device"),
        hostname="hub-1.azure-devices.net",
        device_id="group-device",
        server_verification_cert=CA,
    )
    await device.connect()
    try:
        twin = await device.get_twin()
        assert twin["desired"]["telemetryInterval"] == 5, twin
        await device.patch_twin_reported_properties({"battery": {"volts": 3.7}})

        patches = asyncio.Queue()
        device.on_twin_desired_properties_patch_received = patches.put_nowait
        await asyncio.sleep(1)
        loop = asyncio.get_running_loop()
        change = {"properties": {"desired": {"telemetryInterval": 7}}}
        await loop.run_in_executor(None, hub, "hub-1", "PATCH", "/twins/group-device", change)
        patch = await asyncio.wait_for(patches.get(), 20)
        assert patch["telemetryInterval"] == 7, patch

        async def answer(request):
            response = MethodResponse.create_from_method_request(request, 200, {"echo": request.payload})
            await device.send_method_response(response)

        device.on_method_request_received = answer
        await asyncio.sleep(1)
        call = {"methodName": "echo", "payload": {"a": 1}, "responseTimeoutInSeconds": 20, "connectTimeoutInSeconds": 20}
        called = await loop.run_in_executor(None, hub, "hub-1", "POST", "/twins/group-device/methods", call)
        assert called == {"status": 200, "payload": {"echo": {"a": 1}}}, called

        messages = asyncio.Queue()
        device.on_message_received = messages.put_nowait
        await asyncio.sleep(1)
        headers = {"iothub-messageid": "m-1", "iothub-app-colour": "red"}
        path = "/devices/group-device/messages/deviceBound"
        await loop.run_in_executor(None, hub, "hub-1", "POST", path, "hello", headers)
        message = await asyncio.wait_for(messages.get(), 20)
        assert (message.data, message.message_id) == (b"hello", "m-1"), message
        assert message.custom_properties["colour"] == "red"

        telemetry = Message('{"temperature":4.5}', message_id="t-1")
        telemetry.content_type, telemetry.content_encoding = "application/json", "utf-8"
        telemetry.custom_properties["alert"] = "none"
        await device.send_message(telemetry)
        reported = await loop.run_in_executor(None, hub, "hub-1", "GET", "/twins/group-device")
        assert reported["properties"]["reported"]["battery"] == {"volts": 3.7}
        assert reported["connectionState"] == "Connected"
    finally:
        await device.shutdown()


async def python_device_with_an_individual_enrollment_lives_at_its_hub():
    device = IoTHubDeviceClient.create_from_x509_certificate(
        x509=credentials("single-device"),
        hostname="hub-2.azure-devices.net",
        device_id="renamed",
        server_verification_cert=CA,
    )
    await device.connect()
    try:
        await device.send_message("hello")
        await device.patch_twin_reported_properties({"single": True})
        twin = await device.get_twin()
        assert twin["reported"]["single"] is True, twin
    finally:
        await device.shutdown()


async def python_device_whose_group_is_disabled_is_not_assigned():
    group = dps("GET", "/enrollmentGroups/sdk")
    group["provisioningStatus"] = "disabled"
    service("emulator-dps", "provisioningserviceowner", "PUT", "/enrollmentGroups/sdk", group, {"If-Match": "*"})
    try:
        result = await provision("group-device-2")
    except Exception:
        result = None
    assert result is None or result.status != "assigned", result
    assert dps("GET", "/registrations/group-device-2")["status"] == "disabled"
    group["provisioningStatus"] = "enabled"
    service("emulator-dps", "provisioningserviceowner", "PUT", "/enrollmentGroups/sdk", group, {"If-Match": "*"})


async def python_device_with_a_symmetric_key_connects():
    device = hub("hub-1", "PUT", "/devices/py-keys", {"deviceId": "py-keys"})
    key = device["authentication"]["symmetricKey"]["primaryKey"]
    string = f"HostName=hub-1.azure-devices.net;DeviceId=py-keys;SharedAccessKey={key}"
    client = IoTHubDeviceClient.create_from_connection_string(string, server_verification_cert=CA)
    await client.connect()
    await client.send_message("hello")
    await client.shutdown()


run(
    python_device_is_provisioned_through_a_group,
    python_device_is_provisioned_through_an_individual_enrollment,
    python_device_lives_at_its_hub,
    python_device_with_an_individual_enrollment_lives_at_its_hub,
    python_device_whose_group_is_disabled_is_not_assigned,
    python_device_with_a_symmetric_key_connects,
)
