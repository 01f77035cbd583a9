"""Microsoft's Python service SDK: configurations, jobs over many devices, and digital twins, with a device of Microsoft's that takes part."""

import datetime
import time

from azure.iot.device import IoTHubDeviceClient, MethodResponse
from azure.iot.hub import DigitalTwinClient, IoTHubConfigurationManager, IoTHubJobManager, IoTHubRegistryManager
from azure.iot.hub.models import (
    CloudToDeviceMethod,
    Configuration,
    ConfigurationContent,
    ConfigurationMetrics,
    ConfigurationQueriesTestInput,
    JobRequest,
    QuerySpecification,
    Twin,
)

from checks import connection_string, run, service, status_of, text

owner = connection_string("hub-1", "iothubowner")
registry = IoTHubRegistryManager.from_connection_string(owner)
configurations = IoTHubConfigurationManager.from_connection_string(owner)
jobs = IoTHubJobManager.from_connection_string(owner)


def until(look):
    for _ in range(200):
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it does not come about")


def devices(names, place):
    for name in names:
        registry.create_device_with_sas(name, "", "", "enabled")
        registry.update_twin(name, Twin(tags={"place": place}))


def desired(name):
    properties = registry.get_twin(name).properties.desired
    return {key: value for key, value in properties.items() if not key.startswith("$")}


def python_configurations_reach_twins_and_count():
    devices(["managed-1", "managed-2"], "quay")
    content = ConfigurationContent(device_content={"properties.desired.interval": 60})
    metrics = ConfigurationMetrics(queries={"slow": "SELECT deviceId FROM devices WHERE properties.desired.interval = 60"})
    made = configurations.create_configuration(
        Configuration(
            id="py-interval",
            schema_version="1.0",
            content=content,
            target_condition="tags.place = 'quay'",
            priority=3,
            labels={"by": "python"},
            metrics=metrics,
        )
    )
    assert made.etag and made.priority == 3, made
    until(lambda: desired("managed-1") == desired("managed-2") == {"interval": 60})
    shown = configurations.get_configuration("py-interval")
    assert shown.system_metrics.results == {"targetedCount": 2, "appliedCount": 2}, shown.system_metrics
    assert shown.metrics.results == {"slow": 2}, shown.metrics
    assert "py-interval" in [known.id for known in configurations.get_configurations(10)]
    shown.target_condition = "tags.place = 'sea'"
    assert status_of(lambda: configurations.update_configuration(shown, '"AAAA"')) == 412
    changed = configurations.update_configuration(shown, f'"{shown.etag}"')
    assert changed.etag != shown.etag
    until(lambda: desired("managed-1") == {})
    configurations.delete_configuration("py-interval")
    assert status_of(lambda: configurations.get_configuration("py-interval")) == 404
    tried = configurations.test_configuration_queries(
        ConfigurationQueriesTestInput(target_condition="tags.a =", custom_metric_queries={"m": "SELECT *"})
    )
    assert tried.target_condition_error and not tried.custom_metric_query_errors, tried


def over(job_id):
    job = jobs.get_scheduled_job(job_id)
    return job if job.status in ("completed", "failed", "cancelled") else None


def python_jobs_change_twins_and_call_methods():
    devices(["worked-1", "worked-2"], "pier")
    request = JobRequest(
        job_id="py-twins",
        type="scheduleUpdateTwin",
        update_twin=Twin(etag="*", tags={"seen": "yes"}),
        query_condition="tags.place = 'pier'",
        start_time=datetime.datetime.now(datetime.timezone.utc),
        max_execution_time_in_seconds=100,
    )
    assert jobs.create_scheduled_job("py-twins", request).status == "queued"
    done = until(lambda: over("py-twins"))
    assert (done.status, done.device_job_statistics.succeeded_count) == ("completed", 2), done
    assert registry.get_twin("worked-2").tags["seen"] == "yes"
    assert status_of(lambda: jobs.create_scheduled_job("py-twins", request)) == 409

    key = registry.get_device("worked-1").authentication.symmetric_key.primary_key
    host = owner.split(";")[0].split("=", 1)[1].split(":")[0]
    client = IoTHubDeviceClient.create_from_connection_string(
        f"HostName={host};DeviceId=worked-1;SharedAccessKey={key}", server_verification_cert=text("server-ca.pem")
    )

    def answer(asked):
        client.send_method_response(MethodResponse.create_from_method_request(asked, 200, {"took": asked.payload}))

    client.on_method_request_received = answer
    client.connect()
    call = CloudToDeviceMethod(method_name="ping", payload={"n": 1}, response_timeout_in_seconds=30, connect_timeout_in_seconds=5)
    request = JobRequest(
        job_id="py-calls",
        type="scheduleDeviceMethod",
        cloud_to_device_method=call,
        query_condition="tags.place = 'pier'",
        max_execution_time_in_seconds=100,
    )
    jobs.create_scheduled_job("py-calls", request)
    done = until(lambda: over("py-calls"))
    counts = done.device_job_statistics
    assert (done.status, counts.succeeded_count, counts.failed_count) == ("completed", 1, 1), (done, counts)
    found = registry.query_iot_hub(QuerySpecification(query="SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'py-calls'"))
    rows = {row.device_id: row.additional_properties for row in found.items}
    response = rows["worked-1"]["outcome"]["deviceMethodResponse"]
    assert response == {"status": 200, "payload": {"took": {"n": 1}}}, rows
    assert rows["worked-2"]["error"]["code"] == "DeviceNotOnline", rows
    client.shutdown()


def python_jobs_wait_and_are_cancelled():
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1)
    request = JobRequest(
        job_id="py-later", type="scheduleUpdateTwin", update_twin=Twin(etag="*", tags={}), query_condition="*", start_time=later
    )
    jobs.create_scheduled_job("py-later", request)
    until(lambda: jobs.get_scheduled_job("py-later").status == "scheduled")
    assert jobs.cancel_scheduled_job("py-later").status == "cancelled"
    # The SDK wants an object where Azure answers with a list.
    listed = service("hub-1", "iothubowner", "GET", "/jobs/v2/query?jobType=scheduleUpdateTwin&jobStatus=cancelled")
    assert [job["jobId"] for job in listed] == ["py-later"], listed
    assert status_of(lambda: jobs.get_scheduled_job("nothing")) == 404


def python_digital_twins_show_change_and_call():
    registry.create_device_with_sas("twinned", "", "", "enabled")
    key = registry.get_device("twinned").authentication.symmetric_key.primary_key
    host = owner.split(";")[0].split("=", 1)[1].split(":")[0]
    client = IoTHubDeviceClient.create_from_connection_string(
        f"HostName={host};DeviceId=twinned;SharedAccessKey={key}",
        server_verification_cert=text("server-ca.pem"),
        # As the SDK names a model.
        product_info="dtmi:com:example:TemperatureController;1",
    )

    def follow(patch):
        wanted = patch["thermostat1"]["targetTemperature"]
        answer = {"value": wanted, "ac": 200, "av": patch["$version"], "ad": "warm"}
        client.patch_twin_reported_properties({"thermostat1": {"__t": "c", "targetTemperature": answer}})

    def answer(asked):
        client.send_method_response(MethodResponse.create_from_method_request(asked, 201, {"name": asked.name}))

    client.on_method_request_received = answer
    client.on_twin_desired_properties_patch_received = follow
    client.connect()
    client.patch_twin_reported_properties({"serialNumber": "A-1", "thermostat1": {"__t": "c", "maxTemp": 5.5}})

    twins = DigitalTwinClient.from_connection_string(owner)
    shown = until(lambda: (lambda twin: twin if "thermostat1" in twin else None)(twins.get_digital_twin("twinned")))
    assert shown["$dtId"] == "twinned" and shown["$metadata"]["$model"] == "dtmi:com:example:TemperatureController;1", shown
    assert shown["serialNumber"] == "A-1" and shown["thermostat1"]["maxTemp"] == 5.5, shown
    twins.update_digital_twin("twinned", [{"op": "add", "path": "/thermostat1/targetTemperature", "value": 21.5}])

    def told():
        thermostat = twins.get_digital_twin("twinned")["thermostat1"]
        return thermostat["$metadata"]["targetTemperature"] if "targetTemperature" in thermostat else None

    metadata = until(told)
    assert metadata.pop("lastUpdateTime") and metadata == {
        "desiredValue": 21.5, "desiredVersion": 2, "ackVersion": 2, "ackCode": 200, "ackDescription": "warm"
    }, metadata
    assert status_of(lambda: twins.update_digital_twin("twinned", [{"op": "remove", "path": "/nothing"}])) == 400
    assert status_of(lambda: twins.update_digital_twin("twinned", [{"op": "add", "path": "/a", "value": 1}], '"AAAA"')) == 412
    assert twins.invoke_command("twinned", "reboot", 5) == {"name": "reboot"}
    called = twins.invoke_component_command("twinned", "thermostat1", "getReport", {}, 5, 30)
    assert called == {"name": "thermostat1*getReport"}, called
    client.shutdown()


run(
    python_configurations_reach_twins_and_count,
    python_jobs_change_twins_and_call_methods,
    python_jobs_wait_and_are_cancelled,
    python_digital_twins_show_change_and_call,
)
