"""The fixtures, tried on the program."""

import pytest

from container_tracker_testing import Cloud, CloudError


def test_a_cloud_is_there_with_its_connection_strings(cloud):
    assert "HostName=localhost:" in cloud.hub() and "SharedAccessKeyName=iothubowner" in cloud.hub()
    assert "hub-1.azure-devices.net" in cloud.hub("service", named=True)
    assert "provisioningserviceowner" in cloud.dps()
    assert cloud.ca_file.read_text().startswith("-----BEGIN CERTIFICATE")
    cloud.run("device", "create", "--device-id", "made-here")
    assert cloud.run("device", "show", "--device-id", "made-here")["deviceId"] == "made-here"


@pytest.mark.cloud(seed="../../seed.toml", faults_seed=7)
def test_a_cloud_begins_as_its_seed_says(new_cloud):
    twin = new_cloud.run("twin", "show", "--device-id", "sensor-1")
    assert twin["tags"]["customer"] == "ACME" and twin["properties"]["desired"]["telemetryInterval"] == 30
    assert new_cloud.run("device", "show", "--device-id", "sensor-2")["status"] == "disabled"
    assert [fault["probability"] for fault in new_cloud.run("fault", "list")] == [0.5]
    assert new_cloud.strikes() == []


def test_a_seed_that_is_wrong_is_told_with_its_line(tmp_path):
    seed = tmp_path / "seed.json"
    seed.write_text('{"devices": [{"id": "a"},\n {"id": "b", "hub": "nowhere"}]}')
    with pytest.raises(CloudError, match='line 2: devices.1., "b" names the hub "nowhere"'):
        Cloud(seed=seed)
