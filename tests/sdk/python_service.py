"""Microsoft's Python service SDK for hubs, over HTTPS and, for messages to devices, AMQP."""

import os

from azure.iot.hub import IoTHubRegistryManager
from azure.iot.hub.models import (
    CloudToDeviceMethod,
    ExportImportDevice,
    QuerySpecification,
    Twin,
    TwinProperties,
)

from checks import connection_string, run, status_of

manager = IoTHubRegistryManager.from_connection_string(connection_string("hub-1", "iothubowner"))


def python_service_creates_updates_and_deletes_devices():
    device = manager.create_device_with_sas("py-1", "", "", "enabled")
    assert device.authentication.symmetric_key.primary_key, device
    assert status_of(lambda: manager.create_device_with_sas("py-1", "", "", "enabled")) == 409
    x509 = manager.create_device_with_x509("py-2", "A" * 40, "B" * 40, "disabled")
    assert x509.authentication.x509_thumbprint.primary_thumbprint == "A" * 40
    key = device.authentication.symmetric_key
    updated = manager.update_device_with_sas("py-1", device.etag, key.primary_key, key.secondary_key, "disabled")
    assert updated.status == "disabled"
    stale = lambda: manager.update_device_with_sas("py-1", device.etag, key.primary_key, key.secondary_key, "enabled")
    assert status_of(stale) == 412
    assert {device.device_id for device in manager.get_devices()} >= {"py-1", "py-2"}
    assert manager.get_device_registry_statistics().total_device_count >= 2
    assert manager.get_service_statistics().connected_device_count >= 0
    assert status_of(lambda: manager.get_device("nobody")) == 404
    manager.delete_device("py-2")
    assert status_of(lambda: manager.get_device("py-2")) == 404


def python_service_changes_twins():
    twin = manager.update_twin("py-1", Twin(tags={"a": 1}, properties=TwinProperties(desired={"x": 1})))
    assert twin.tags == {"a": 1} and twin.properties.desired["x"] == 1
    stale = twin.etag
    twin = manager.replace_twin("py-1", Twin(tags={"b": 2}, properties=TwinProperties(desired={"y": 2})))
    assert twin.tags == {"b": 2} and "x" not in twin.properties.desired
    assert status_of(lambda: manager.update_twin("py-1", Twin(tags={"c": 3}), stale)) == 412


def python_service_queries_with_pages():
    for number in range(5):
        manager.create_device_with_sas(f"page-{number}", "", "", "enabled")
    found, continuation = [], None
    while True:
        query = QuerySpecification(query="SELECT * FROM devices WHERE STATUS = 'enabled'")
        page = manager.query_iot_hub(query, continuation, 2)
        found += [twin.device_id for twin in page.items or []]
        continuation = page.continuation_token
        if not continuation:
            break
    assert [name for name in found if name.startswith("page-")] == [f"page-{n}" for n in range(5)], found
    assert status_of(lambda: manager.query_iot_hub(QuerySpecification(query="SELECT * FROM planets"))) == 400


def python_service_projects_and_aggregates():
    rows = lambda text: manager.query_iot_hub(QuerySpecification(query=text)).items
    assert len(rows("SELECT deviceId FROM devices WHERE deviceId IN ['page-1', 'page-3', 'nobody']")) == 2
    assert len(rows("SELECT COUNT() AS n FROM devices")) == 1


def python_service_makes_devices_in_bulk():
    devices = [ExportImportDevice(id=f"bulk-{n}", import_mode="create", status="enabled") for n in range(3)]
    assert manager.bulk_create_or_update_devices(devices).is_successful
    again = manager.bulk_create_or_update_devices(devices)
    assert not again.is_successful and len(again.errors) == 3, again
    for device in devices:
        device.import_mode = "delete"
    assert manager.bulk_create_or_update_devices(devices).is_successful
    assert status_of(lambda: manager.get_device("bulk-0")) == 404


def python_service_sends_messages_to_devices_by_amqp():
    # The SDK's AMQP finds names by itself, in C: the address takes their place.
    named = connection_string("hub-1", "iothubowner")
    host = named.split("HostName=", 1)[1].split(";")[0]
    here = IoTHubRegistryManager.from_connection_string(named.replace(host, os.environ["EMULATOR_ADDRESS"]))
    waiting = lambda: manager.get_device("py-c2d").cloud_to_device_message_count
    manager.create_device_with_sas("py-c2d", "", "", "enabled")
    here.send_c2d_message("py-c2d", "hello", properties={"messageId": "m-1", "contentType": "text/plain", "a": "b"})
    assert waiting() == 1, waiting()
    try:
        here.send_c2d_message("nobody", "hello")
    except Exception as error:
        assert "failure" in str(error), error
    else:
        raise AssertionError("a message was taken for a device that is not there")


def python_service_is_told_that_a_device_is_offline():
    call = lambda: manager.invoke_device_method("py-1", CloudToDeviceMethod(method_name="ping", payload={}))
    assert status_of(call) == 404


def python_service_with_a_wrong_key_is_refused():
    parts = connection_string("hub-1", "iothubowner").rsplit("SharedAccessKey=", 1)
    other = IoTHubRegistryManager.from_connection_string(parts[0] + "SharedAccessKey=" + "QUFB" * 8)
    assert status_of(lambda: other.get_device("py-1")) == 401


run(
    python_service_creates_updates_and_deletes_devices,
    python_service_changes_twins,
    python_service_queries_with_pages,
    python_service_projects_and_aggregates,
    python_service_makes_devices_in_bulk,
    python_service_sends_messages_to_devices_by_amqp,
    python_service_is_told_that_a_device_is_offline,
    python_service_with_a_wrong_key_is_refused,
)
