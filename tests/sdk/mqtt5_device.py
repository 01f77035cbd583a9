"""A device of a hub of MQTT 5 that is none of ours: paho-mqtt and protobuf, by the tables of the protocol alone."""

import json
import os
import queue
import secrets
import ssl
import threading
import time
import urllib.parse

import paho.mqtt.client as mqtt
from google.protobuf.unknown_fields import UnknownFieldSet
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from checks import emulator, file, run, service, text
import mqtt5_rows
from mqtt5_messages import BOTH, DESIRED, DOWN, OK, PAYLOAD_INVALID, QOS, UP, VERSION_MISMATCH, messages

ID = "mqtt5-device"
HUB = "hub-5.device.azure-devices.net"
PATIENCE = 20
CA = text("server-ca.pem")


def dps(method, path, body=None):
    return service("emulator-dps", "provisioningserviceowner", method, path, body)


def hub(label, method, path, body=None):
    return service(label, "iothubowner", method, path, body)


class Refused(Exception):
    pass


def connection(host, client_id, user_name, protocol, clean=True):
    options = {"clean_session": clean} if protocol == mqtt.MQTTv311 else {}
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=protocol, **options)
    client.username_pw_set(user_name)
    context = ssl.create_default_context(cadata=CA)
    context.load_cert_chain(file(f"{ID}.pem"), file(f"{ID}-key.pem"))
    client.tls_set_context(context)
    return client


class Device:
    """One connection: what comes is in queues, by kind."""

    def __init__(self, clean=True, expiry=0, user_name=None, host=HUB, receive_maximum=None):
        self.nonce = secrets.token_bytes(16)
        user_name = user_name or f"correlationId={self.nonce.hex()}&clientVersion={urllib.parse.quote('witness/1 (paho)', safe='')}"
        self.client = connection(host, ID, user_name, mqtt.MQTTv5)
        self.inbox = {kind: queue.Queue() for kind in DOWN}
        self.connacks, self.subacks, self.pubacks, self.ends = (queue.Queue() for _ in range(4))
        self.client.on_connect = lambda c, u, flags, reason, properties: self.connacks.put((flags, reason, properties))
        self.client.on_subscribe = lambda c, u, mid, reasons, properties: self.subacks.put(reasons)
        self.client.on_publish = lambda c, u, mid, reason, properties: self.pubacks.put((mid, reason))
        self.client.on_disconnect = lambda c, u, flags, reason, properties: self.ends.put((flags, reason))
        self.client.on_message = self.on_message
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = expiry
        if receive_maximum:
            properties.ReceiveMaximum = receive_maximum
        self.client.connect(host, emulator["mqttPort"], keepalive=30, clean_start=clean, properties=properties)
        self.client.loop_start()

    def on_message(self, client, user, message):
        kinds = dict(message.properties.UserProperty)
        topic, name = DOWN[kinds["type"]]
        # Member by member as the tables say: topic, QoS, content type, correlation.
        assert message.topic == f"ih/{ID}/dev/{topic}", message.topic
        assert message.qos == QOS[topic], (kinds, message.qos)
        assert message.properties.ContentType == "application/protobuf"
        assert list(kinds) == ["type"] and not hasattr(message.properties, "ResponseTopic")
        correlation = message.properties.CorrelationData
        assert len(correlation) == 16
        parsed = messages[name].FromString(message.payload)
        # Nothing in it that the tables do not know, and the canonical form: what is zero is left out.
        assert len(UnknownFieldSet(parsed)) == 0, kinds
        assert parsed.SerializeToString() == message.payload, kinds
        expiry = getattr(message.properties, "MessageExpiryInterval", None)
        self.inbox[kinds["type"]].put((parsed, correlation, expiry))

    def connected(self):
        flags, reason, properties = self.connacks.get(timeout=PATIENCE)
        if reason.is_failure:
            raise Refused(reason.value, getattr(properties, "ReasonString", ""))
        return flags, properties

    def say(self, kind, correlation, **members):
        topic, name = UP[kind]
        properties = Properties(PacketTypes.PUBLISH)
        properties.UserProperty = ("type", kind)
        properties.CorrelationData = correlation
        properties.ContentType = "application/protobuf"
        body = messages[name](**members).SerializeToString()
        return self.client.publish(f"ih/{ID}/srv/{topic}", body, qos=QOS[topic], properties=properties)

    def heard(self, kind):
        return self.inbox[kind].get(timeout=PATIENCE)

    def start(self, **birth):
        self.connected()
        self.client.subscribe(f"ih/{ID}/dev/#", qos=1)
        reasons = self.subacks.get(timeout=PATIENCE)
        assert [reason.value for reason in reasons] == [1], reasons
        self.say("birth:1", self.nonce, **birth)
        ack, correlation, _ = self.heard("birth-ack:1")
        assert correlation == self.nonce
        return ack

    def stop(self):
        self.client.disconnect()
        self.client.loop_stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def the_rows_that_our_messages_are_held_against_are_up_to_date():
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "../../protocol/tests/data/hub_v5.json")) as rows:
        assert rows.read() == mqtt5_rows.whole(), "tests/sdk/mqtt5_rows.py >protocol/tests/data/hub_v5.json"


def enrolled_with_the_hub_of_mqtt_5():
    leaf = {"clientCertificates": {"primary": {"certificate": text(f"{ID}.pem")}}}
    twin = {"properties": {"desired": {"telemetryInterval": 5}}}
    enrollment = {"attestation": {"type": "x509", "x509": leaf}, "initialTwin": twin, "allocationPolicy": "static"}
    dps("PUT", f"/enrollments/{ID}", {**enrollment, "iotHubs": ["hub-5.azure-devices.net"]})


def provisioning_tells_the_connection_profile():
    """3.1.1 by paho as well: SDKs of today know nothing of the profile."""
    user_name = f"{emulator['idScope']}/registrations/{ID}/api-version=2026-11-02-preview"
    client = connection("global.azure-devices-provisioning.net", ID, user_name, mqtt.MQTTv311)
    answers = queue.Queue()
    client.on_message = lambda c, u, message: answers.put((message.topic, json.loads(message.payload)))
    client.on_connect = lambda c, *_: c.subscribe("$dps/registrations/res/#", qos=1)
    client.on_subscribe = lambda c, *_: c.publish("$dps/registrations/PUT/iotdps-register/?$rid=1", "{}", qos=1)
    client.connect("global.azure-devices-provisioning.net", emulator["mqttPort"])
    client.loop_start()
    for rid in range(2, 20):
        topic, body = answers.get(timeout=PATIENCE)
        if topic.startswith("$dps/registrations/res/200/"):
            break
        time.sleep(1)
        poll = "$dps/registrations/GET/iotdps-get-operationstatus/"
        client.publish(f"{poll}?$rid={rid}&operationId={body['operationId']}", "", qos=1)
    client.disconnect()
    client.loop_stop()
    state = body["registrationState"]
    assert (state["assignedHub"], state["deviceId"], state["connectionProfile"]) == (HUB, ID, "mqttV5"), state


def connack_tells_what_the_broker_takes():
    with Device() as device:
        flags, properties = device.connected()
        assert not flags.session_present
        told = {name: getattr(properties, name) for name in ("MaximumQoS", "RetainAvailable", "MaximumPacketSize")}
        assert told == {"MaximumQoS": 1, "RetainAvailable": 0, "MaximumPacketSize": 512 * 1024}, told
        assert properties.SharedSubscriptionAvailable == 0 and properties.SubscriptionIdentifierAvailable == 0


def birth_is_acknowledged_and_the_twin_pushed():
    with Device() as device:
        ack = device.start(push_desired=True, push_reported=True)
        push, correlation, _ = device.heard("twin-push:1")
        assert correlation == device.nonce
        assert push.desired.version == ack.desired_version >= 1
        assert json.loads(push.desired.payload)["telemetryInterval"] == 5
        assert push.reported.version == ack.reported_version
    with Device() as device:
        ack = device.start(push_desired=True, push_reported=True, desired_version=ack.desired_version)
        push, _, _ = device.heard("twin-push:1")
        assert not push.HasField("desired") and push.HasField("reported"), push


def a_birth_with_another_nonce_gets_no_answer():
    with Device() as device:
        device.connected()
        device.client.subscribe(f"ih/{ID}/dev/#", qos=1)
        device.say("birth:1", secrets.token_bytes(16))
        device.say("birth:1", device.nonce)
        _, correlation, _ = device.heard("birth-ack:1")
        assert correlation == device.nonce and device.inbox["birth-ack:1"].empty()


def the_twin_is_got_and_patched_by_version():
    with Device() as device:
        ack = device.start()
        request = secrets.token_bytes(16)
        device.say("get:1", request, sections=BOTH)
        whole, correlation, _ = device.heard("get-response:1")
        assert correlation == request and whole.HasField("desired_payload") and whole.HasField("reported_payload")
        device.say("get:1", request, sections=DESIRED, if_not_match_desired=ack.desired_version)
        same, _, _ = device.heard("get-response:1")
        assert not same.HasField("desired_payload") and same.desired_version == ack.desired_version
        version = ack.reported_version

        def patch(if_match, body):
            device.say("reported-patch:1", request, if_match=if_match, payload=body)
            answer, _, _ = device.heard("reported-patch-response:1")
            return answer.result, answer.version

        assert patch(version, b'{"battery":{"volts":3.7}}') == (OK, version + 1)
        assert patch(version, b'{"battery":null}') == (VERSION_MISMATCH, version + 1)
        assert patch(0, b'{"battery":null}') == (VERSION_MISMATCH, version + 1)
        assert patch(version + 1, b"[]") == (PAYLOAD_INVALID, version + 1)
    twin = hub("hub-5", "GET", f"/twins/{ID}")
    assert twin["properties"]["reported"]["battery"] == {"volts": 3.7}, twin


def desired_changes_come_one_by_one():
    with Device() as device:
        ack = device.start()
        for step in (1, 2):
            hub("hub-5", "PATCH", f"/twins/{ID}", {"properties": {"desired": {"step": step}}})
            patch, correlation, _ = device.heard("desired-patch:1")
            assert (patch.version, correlation) == (ack.desired_version + step, device.nonce)
            assert json.loads(patch.payload) == {"step": step}


def telemetry_is_acknowledged_with_and_without_a_type():
    with Device() as device:
        device.start()
        for kind in ("telemetry:1", None):
            properties = Properties(PacketTypes.PUBLISH)
            properties.ContentType = "application/json"
            properties.UserProperty = ("$.mid", secrets.token_hex(4))
            if kind:
                properties.UserProperty = ("type", kind)
            told = device.client.publish(f"ih/{ID}/srv/telemetry", b'{"t":1}', qos=1, properties=properties)
            mid, reason = device.pubacks.get(timeout=PATIENCE)
            # The birth before it is of QoS 0, and done as soon as it is sent.
            while mid != told.mid:
                mid, reason = device.pubacks.get(timeout=PATIENCE)
            assert reason.value == 0, reason


def methods_are_probed_called_and_answered():
    with Device() as device:
        device.start()
        answers = queue.Queue()

        def call():
            body = {"methodName": "echo", "payload": {"a": 1}, "responseTimeoutInSeconds": 30, "connectTimeoutInSeconds": 20}
            answers.put(hub("hub-5", "POST", f"/twins/{ID}/methods", body))

        caller = threading.Thread(target=call)
        caller.start()
        probe, request, expiry = device.heard("probe:1")
        assert (probe.method_name, probe.response_timeout_seconds) == ("echo", 30) and 1 <= expiry <= 20, expiry
        ready = secrets.token_bytes(16)
        device.say("probe-ack:1", request, ready={"ready_id": ready})
        called, correlation, expiry = device.heard("exec:1")
        assert (called.ready_id, correlation) == (ready, request) and 1 <= expiry <= 30, expiry
        assert abs(called.exec_start.seconds - time.time()) < 60
        device.say("result:1", request, status=200, body=called.params)
        caller.join(PATIENCE)
        assert answers.get(timeout=PATIENCE) == {"status": 200, "payload": {"a": 1}}


def a_second_connection_takes_the_first_over():
    with Device() as first:
        first.start()
        with Device() as second:
            second.start()
            flags, reason = first.ends.get(timeout=PATIENCE)
            first.client.loop_stop()
            assert flags.is_disconnect_packet_from_server and reason.value == 0x8E, reason


def a_kept_session_is_there_again():
    with Device(clean=False, expiry=3600) as device:
        device.start()
    with Device(clean=False, expiry=3600) as device:
        flags, _ = device.connected()
        assert flags.session_present
        device.say("birth:1", device.nonce, session_present=True)
        device.heard("birth-ack:1")
    with Device(clean=True) as device:
        assert not device.connected()[0].session_present


def foreign_filters_and_topics_are_refused():
    with Device() as device:
        device.start()
        for topic, code in [(f"devices/{ID}/messages/devicebound/#", 0x87), (f"$share/g/ih/{ID}/dev/#", 0x9E), ("own/topic", 0x87)]:
            device.client.subscribe(topic, qos=1)
            reasons = device.subacks.get(timeout=PATIENCE)
            assert [reason.value for reason in reasons] == [code], (topic, reasons)


def who_may_not_is_refused_in_words():
    for user_name, code in [("hub-5/mqtt5-device/?api-version=2021-04-12", 0x86)]:
        device = Device(user_name=user_name)
        try:
            device.connected()
            raise AssertionError("let in")
        except Refused as refused:
            assert refused.args[0] == code and refused.args[1], refused
        finally:
            device.client.loop_stop()


if __name__ == "__main__":
    run(
        the_rows_that_our_messages_are_held_against_are_up_to_date,
        enrolled_with_the_hub_of_mqtt_5,
        provisioning_tells_the_connection_profile,
        connack_tells_what_the_broker_takes,
        birth_is_acknowledged_and_the_twin_pushed,
        a_birth_with_another_nonce_gets_no_answer,
        the_twin_is_got_and_patched_by_version,
        desired_changes_come_one_by_one,
        telemetry_is_acknowledged_with_and_without_a_type,
        methods_are_probed_called_and_answered,
        a_second_connection_takes_the_first_over,
        a_kept_session_is_there_again,
        foreign_filters_and_topics_are_refused,
        who_may_not_is_refused_in_words,
    )
