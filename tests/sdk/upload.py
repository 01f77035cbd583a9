"""Files that devices upload, with Microsoft's Python SDKs: azure-iot-device for the hub, azure-storage-blob for the file;
and the registry's export and import to containers of the same storage, with azure-iot-hub."""

import io
import json
import os
import subprocess
import time

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ResourceExistsError
from azure.iot.device import IoTHubDeviceClient
from azure.iot.device.aio import IoTHubDeviceClient as AsyncClient
from azure.iot.hub import IoTHubJobManager, IoTHubRegistryManager
from azure.iot.hub.models import JobProperties
from azure.storage.blob import BlobBlock, BlobClient, ContainerClient, ContentSettings

from checks import connection_string, run, service, text

manager = IoTHubRegistryManager.from_connection_string(connection_string("hub-1", "iothubowner"))
host = connection_string("hub-1", "iothubowner").split(";")[0].split("=")[1].split(":")[0]


def device_string(device_id):
    device = manager.create_device_with_sas(device_id, "", "", "enabled")
    return f"HostName={host};DeviceId={device_id};SharedAccessKey={device.authentication.symmetric_key.primary_key}"


def blob_of(place):
    uri = "https://{hostName}/{containerName}/{blobName}{sasToken}".format(**place)
    return BlobClient.from_blob_url(uri, connection_verify=os.path.join(os.environ["EMULATOR_LAB"], "server-ca.pem"))


def notice():
    until = time.time() + 20
    while time.time() < until:
        told = service("hub-1", "service", "GET", "/messages/serviceBound/filenotifications", version="2021-04-12")
        if told:
            return told
        time.sleep(0.1)
    raise AssertionError("nothing was told")


def python_uploads_a_file_and_the_service_is_told():
    client = IoTHubDeviceClient.create_from_connection_string(
        device_string("py-upload"), server_verification_cert=text("server-ca.pem")
    )
    client.connect()
    place = client.get_storage_info_for_blob("logs/voyage 7.txt")
    with blob_of(place) as blob:
        blob.upload_blob(b"all is well", content_settings=ContentSettings(content_type="text/plain"))
        assert blob.download_blob().readall() == b"all is well"
        properties = blob.get_blob_properties()
        assert (properties.size, properties.content_settings.content_type) == (11, "text/plain"), properties
        try:
            blob.upload_blob(b"again")
            raise AssertionError("it was there")
        except ResourceExistsError:
            pass
        blob.upload_blob(b"all is very well", overwrite=True)
    client.notify_blob_upload_status(place["correlationId"], True, 200, "fine")
    told = notice()
    assert (told["blobName"], told["blobSizeInBytes"]) == ("py-upload/logs/voyage 7.txt", 16), told
    client.shutdown()


async def python_uploads_by_blocks_and_gives_up():
    client = AsyncClient.create_from_connection_string(
        device_string("py-blocks"), server_verification_cert=text("server-ca.pem")
    )
    await client.connect()
    place = await client.get_storage_info_for_blob("big.bin")
    with blob_of(place) as blob:
        for number in range(3):
            blob.stage_block(f"{number:06}", bytes([number]) * 300_000)
        blob.commit_block_list([BlobBlock(f"{number:06}") for number in (2, 0, 1)])
        content = blob.download_blob().readall()
        assert len(content) == 900_000 and content[0] == 2 and content[-1] == 1
        # In parallel, and in pieces of the SDK's own choice.
        blob.upload_blob(io.BytesIO(bytes(80 * 1024 * 1024)), overwrite=True, max_concurrency=4)
        assert blob.get_blob_properties().size == 80 * 1024 * 1024
    await client.notify_blob_upload_status(place["correlationId"], False, 500, "changed my mind")
    await client.shutdown()


def python_is_refused_what_the_place_is_not_for():
    client = IoTHubDeviceClient.create_from_connection_string(
        device_string("py-refused"), server_verification_cert=text("server-ca.pem")
    )
    client.connect()
    place = client.get_storage_info_for_blob("mine")
    for changed in ({"blobName": "py-upload/mine"}, {"sasToken": place["sasToken"].replace("sp=rw", "sp=rwd")}):
        with blob_of({**place, **changed}) as blob:
            try:
                blob.upload_blob(b"x")
                raise AssertionError("it was taken")
            except ClientAuthenticationError as error:
                assert error.error_code == "AuthenticationFailed", error
    with blob_of(place) as blob:
        try:
            blob.delete_blob()
            raise AssertionError("it was taken")
        except HttpResponseError as error:
            assert error.status_code == 403, error
    client.shutdown()


def curl_uploads_a_file():
    client = IoTHubDeviceClient.create_from_connection_string(
        device_string("curl-upload"), server_verification_cert=text("server-ca.pem")
    )
    client.connect()
    place = client.get_storage_info_for_blob("by-curl")
    uri = "https://{hostName}/{containerName}/{blobName}{sasToken}".format(**place)
    resolve = f"{place['hostName'].split(':')[0]}:443:{os.environ['EMULATOR_ADDRESS']}"
    ca = os.path.join(os.environ["EMULATOR_LAB"], "server-ca.pem")
    curl = ["curl", "--silent", "--show-error", "--fail", "--cacert", ca, "--resolve", resolve]
    subprocess.run([*curl, "--header", "x-ms-blob-type: BlockBlob", "--upload-file", __file__, uri], check=True)
    read = subprocess.run([*curl, uri], check=True, capture_output=True).stdout
    assert read == open(__file__, "rb").read()
    client.notify_blob_upload_status(place["correlationId"], True, 201, "")
    client.shutdown()


def end_of(jobs, job):
    until = time.time() + 30
    while time.time() < until:
        job = jobs.get_import_export_job(job.job_id)
        if job.status in ("completed", "failed", "cancelled"):
            return job
        time.sleep(0.1)
    raise AssertionError("the job did not end")


def python_exports_and_imports_the_registry():
    jobs = IoTHubJobManager.from_connection_string(connection_string("hub-1", "iothubowner"))
    others = IoTHubJobManager.from_connection_string(connection_string("hub-2", "iothubowner"))
    uri = service("hub-1", "iothubowner", "PUT", "/blobContainers/sdk-exports")["uri"]
    order = JobProperties(type="export", output_blob_container_uri=uri, exclude_keys_in_export=False)
    done = end_of(jobs, jobs.create_import_export_job(order))
    assert done.status == "completed", done.failure_reason
    ca = os.path.join(os.environ["EMULATOR_LAB"], "server-ca.pem")
    with ContainerClient.from_container_url(uri, connection_verify=ca) as container:
        assert "devices.txt" in [blob.name for blob in container.list_blobs()]
        lines = container.download_blob("devices.txt").readall().splitlines()
    exported = {json.loads(line)["id"] for line in lines}
    assert {device.device_id for device in manager.get_devices()} == exported and exported, exported
    order = JobProperties(type="import", input_blob_container_uri=uri, output_blob_container_uri=uri)
    done = end_of(others, others.create_import_export_job(order))
    assert done.status == "completed", done.failure_reason
    elsewhere = IoTHubRegistryManager.from_connection_string(connection_string("hub-2", "iothubowner"))
    assert {device.device_id for device in elsewhere.get_devices()} >= exported
    for device_id in exported:
        elsewhere.delete_device(device_id)


CHECKS = [
    python_uploads_a_file_and_the_service_is_told,
    python_uploads_by_blocks_and_gives_up,
    python_is_refused_what_the_place_is_not_for,
    curl_uploads_a_file,
    python_exports_and_imports_the_registry,
]

if __name__ == "__main__":
    run(*CHECKS)
