"""A device that gets its certificates from DPS and renews them at its hub, on paho-mqtt and cryptography: no SDK in a
package registry knows these calls yet. It is written from tables of what public sources say, and shares no code with
agent or emulator. The word in brackets names the source of a row:

SPEC    Azure/azure-rest-api-specs, deviceprovisioningservices, 2025-07-01-preview to 2026-11-02-preview
DOC-I   azure-docs, iot/concept-certificate-issuance.md;  DOC-R  …-renewal.md;  DOC-C  iot-certificate-management-concepts.md
C-CERT  Azure/azure-iot-sdk, c/docs/eng/certificate-management.md;  C-DPS  c/docs/dps-integration.md;  C-E2E  c/tests/e2e
CS      azure-iot-sdk-csharp, branch feature/iot-csr-preview;  CS-T  its run of scenarios on the service, 30 January 2026
EMB     azure-sdk-for-c, branch feature/dps-csr-preview;  JAVA  azure-iot-sdk-java, branch feature/csr
PY      azure-iot-sdk-python, pull request 1223;  SKIT  pjgpetecodes/skittlesorter
"""

import base64
import contextlib
import json
import queue
import re
import ssl
import tempfile
import urllib.parse

import paho.mqtt.client as mqtt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from datetime import datetime, timedelta, timezone

from checks import emulator, run, service, text

DPS = "global.azure-devices-provisioning.net"
HUB = "hub-1.azure-devices.net"
DEVICE = "csr-device"
PATIENCE = 20

# The versions of the device API in which a registration may carry `csr`. [SPEC]
ISSUING = ["2025-07-01-preview", "2026-11-01", "2026-11-02-preview"]
# [CS, EMB, JAVA, C-CERT]
RENEWING = "2025-08-01-preview"
CREDENTIALS = "$iothub/credentials/res/#"
ISSUE = "$iothub/credentials/POST/issueCertificate/?$rid={rid}"
ANSWER = re.compile(r"\$iothub/credentials/res/(\d+)/\?\$rid=([A-Za-z0-9-]+)")


def name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signing_request(key, common_name=DEVICE):
    """Standard base64, on one line, of DER PKCS#10. [SPEC, C-DPS, EMB]"""
    request = x509.CertificateSigningRequestBuilder().subject_name(name(common_name)).sign(key, hashes.SHA256())
    return base64.b64encode(request.public_bytes(serialization.Encoding.DER)).decode()


def onboarding():
    """A leaf of its own, for an individual enrollment."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name(DEVICE))
        .issuer_name(name(DEVICE))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return pem(certificate), key


class Connection:
    """One MQTT 3.1.1 connection."""

    def __init__(self, host, user_name, chain, key, clean=True):
        self.messages = queue.Queue()
        self.events = queue.Queue()
        versions = getattr(mqtt, "CallbackAPIVersion", None)
        first = [versions.VERSION1] if versions else []
        self.client = mqtt.Client(*first, client_id=DEVICE, clean_session=clean, protocol=mqtt.MQTTv311)
        self.client.username_pw_set(user_name)
        context = ssl.create_default_context(cadata=text("server-ca.pem"))
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(chain + key_pem(key))
            pair.flush()
            context.load_cert_chain(pair.name)
        self.client.tls_set_context(context)
        self.client.on_connect = lambda client, _, flags, code: self.events.put(("connected", code))
        self.client.on_disconnect = lambda client, _, code: self.events.put(("disconnected", code))
        self.client.on_subscribe = lambda *_: self.events.put(("subscribed", None))
        self.client.on_unsubscribe = lambda *_: self.events.put(("unsubscribed", None))
        self.client.on_message = lambda client, _, message: self.messages.put(message)
        self.client.connect(host, emulator["mqttPort"])
        self.client.loop_start()
        self.code = self.wait("connected")

    def wait(self, kind):
        while True:
            event, value = self.events.get(timeout=PATIENCE)
            if event == kind:
                return value

    def subscribe(self, topic):
        self.client.subscribe(topic, 1)
        self.wait("subscribed")

    def unsubscribe(self, topic):
        self.client.unsubscribe(topic)
        self.wait("unsubscribed")

    def publish(self, topic, body):
        body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        self.client.publish(topic, body, 1).wait_for_publish(PATIENCE)

    def message(self):
        return self.messages.get(timeout=PATIENCE)

    def is_silent(self):
        """A twin request is answered after all that was sent before it."""
        self.subscribe("$iothub/twin/res/#")
        self.publish("$iothub/twin/GET/?$rid=silence", "")
        return self.message().topic.startswith("$iothub/twin/res/200/?$rid=silence")

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@contextlib.contextmanager
def connection(*arguments, **options):
    opened = Connection(*arguments, **options)
    try:
        yield opened
    finally:
        opened.close()


class Service:
    """The operator: enrollment, policy, faults."""

    onboarding_chain, onboarding_key = onboarding()

    @classmethod
    def call(cls, method, path, body=None, version="2026-11-01", headers=None):
        return service("emulator-dps", "provisioningserviceowner", method, path, body, headers, version)

    @classmethod
    def fault(cls, kind, **members):
        cls.call("POST", "/faults", {"device": DEVICE, "times": 1, "fault": kind, **members})


def dps(version):
    user_name = f"{emulator['idScope']}/registrations/{DEVICE}/api-version={version}"
    return connection(DPS, user_name, Service.onboarding_chain, Service.onboarding_key)


def hub(chain, key, version=RENEWING, clean=True):
    return connection(HUB, f"{HUB}/{DEVICE}/?api-version={version}", chain, key, clean=clean)


def ask_dps(device, topic, body):
    device.publish(topic, body)
    message = device.message()
    match = re.fullmatch(r"\$dps/registrations/res/(\d+)/\?\$rid=([^&]+)(&retry-after=\d+)?", message.topic)
    assert match, message.topic
    return int(match[1]), json.loads(message.payload)


def register(version, body):
    """The last answer: status and body; and the answers before it."""
    before = []
    with dps(version) as device:
        device.subscribe("$dps/registrations/res/#")
        status, answer = ask_dps(device, "$dps/registrations/PUT/iotdps-register/?$rid=1", body)
        while status == 202:
            before.append(answer)
            operation = urllib.parse.quote(answer["operationId"])
            topic = f"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={operation}"
            status, answer = ask_dps(device, topic, "")
    return status, answer, before


def certificates(chain):
    """Base64 of DER each, leaf first, each issued by the next, root last. [SPEC, C-E2E, CS-T]"""
    found = [x509.load_der_x509_certificate(base64.b64decode(text, validate=True)) for text in chain]
    assert len(found) == 3, len(found)
    for child, issuer in zip(found, [*found[1:], found[-1]]):
        child.verify_directly_issued_by(issuer)
    return found


def check_leaf(leaf, key):
    public = lambda holder: holder.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public(leaf) == public(key)
    assert leaf.subject == name(DEVICE), leaf.subject
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH], usage
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=30)


def issued(key):
    """A chain from DPS, in PEM."""
    status, answer, _ = register("2026-11-01", {"csr": signing_request(key)})
    assert status == 200, answer
    return b"".join(map(pem, certificates(answer["registrationState"]["issuedCertificateChain"])))


def ask_hub(device, rid, body):
    device.publish(ISSUE.format(rid=rid), body)
    return hub_answer(device, rid)


def hub_answer(device, rid):
    """Nothing may follow the rid, as a parser in use takes it for a part of it; QoS 0. [CS, JAVA, EMB]"""
    message = device.message()
    match = ANSWER.fullmatch(message.topic)
    assert match and match[2] == rid and message.qos == 0, (message.topic, message.payload)
    return int(match[1]), json.loads(message.payload)


def check_error(status, answer, code):
    """The error body. [CS, JAVA]"""
    assert (status, answer["errorCode"]) == (code // 1000, code), (status, answer)
    assert {"errorCode", "message", "trackingId", "timestampUtc", "info"} <= answer.keys(), answer
    assert answer.keys() <= {"errorCode", "message", "trackingId", "timestampUtc", "info", "retryAfter"}, answer


def certificates_are_enrolled_by_the_members_of_each_version():
    Service.call("PUT", "/certificatePolicies/sdk", {
        "properties": {"leafCertificateConfiguration": {"validityPeriodInDays": 30}}
    })
    leaf = {"clientCertificates": {"primary": {"certificate": Service.onboarding_chain.decode()}}}
    enrollment = {
        "registrationId": DEVICE,
        "attestation": {"type": "x509", "x509": leaf},
        "allocationPolicy": "static",
        "iotHubs": [HUB],
    }
    path = f"/enrollments/{DEVICE}"
    # [SPEC]
    made = Service.call("PUT", path, {**enrollment, "credentialPolicyName": "sdk"}, version="2025-07-01-preview")
    assert made["credentialPolicyName"] == "sdk", made
    stable = {"namespaceName": "emulator-namespace", "certificateAuthorityName": "default", "certificatePolicyName": "sdk"}
    made = Service.call("PUT", path, {**enrollment, **stable}, headers={"If-Match": "*"})
    assert stable.items() <= made.items() and "credentialPolicyName" not in made, made


def certificates_come_with_the_assignment():
    keys = {
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "P-384": ec.generate_private_key(ec.SECP384R1()),
        "RSA 2048": rsa.generate_private_key(65537, 2048),
    }
    # C unified leaves the registration ID out [C-DPS]; the others have it. [EMB, CS, SKIT]
    bodies = [
        lambda csr: {"csr": csr},
        lambda csr: {"csr": csr, "payload": {"a": 1}},
        lambda csr: {"registrationId": DEVICE, "payload": {"a": 1}, "csr": csr},
        lambda csr: {"registrationId": DEVICE, "csr": csr},
    ]
    for (kind, key), version in zip(keys.items(), ISSUING):
        for body in bodies:
            status, answer, before = register(version, body(signing_request(key)))
            assert (status, answer["status"]) == (200, "assigned"), (kind, version, answer)
            state = answer["registrationState"]
            assert (state["assignedHub"], state["deviceId"]) == (HUB, DEVICE), state
            assert before and not any("issuedCertificateChain" in one["registrationState"] for one in before)
        chain = certificates(state["issuedCertificateChain"])
        check_leaf(chain[0], key)
        # Leaf and intermediates [DOC-I]; a sample sends the leaf alone [PY].
        for length in (3, 2, 1):
            with hub(b"".join(map(pem, chain[:length])), key) as device:
                assert device.code == 0, (kind, length, device.code)
    with hub(Service.onboarding_chain, Service.onboarding_key) as device:
        assert device.code == 5, device.code


def certificates_are_null_where_none_was_asked_for():
    for body in ("", {}, {"payload": {}}, {"registrationId": DEVICE}):
        status, answer, _ = register("2026-11-02-preview", body)
        assert status == 200 and answer["registrationState"]["issuedCertificateChain"] is None, answer
    status, answer, _ = register("2019-03-31", {"registrationId": DEVICE})
    assert status == 200 and "issuedCertificateChain" not in answer["registrationState"], answer


def certificates_are_refused_for_bad_requests():
    key = ec.generate_private_key(ec.SECP256R1())
    good = signing_request(key)
    tampered = bytearray(base64.b64decode(good))
    tampered[-1] ^= 1
    rows = [
        ("too long, over 8 KB [C-DPS]", "A" * 8196),
        ("PEM [SPEC]", "-----BEGIN CERTIFICATE REQUEST-----\n" + good),
        ("no PKCS#10", base64.b64encode(b"nothing").decode()),
        ("another name [DOC-I, DOC-C]", signing_request(key, "another")),
        ("another case", signing_request(key, DEVICE.upper())),
        ("a bad signature [CS-T]", base64.b64encode(tampered).decode()),
    ]
    for row, csr in rows:
        status, answer, _ = register("2026-11-01", {"csr": csr})
        assert status == 400 and answer["errorCode"] // 1000 == 400, (row, status, answer)
        assert {"errorCode", "trackingId", "message", "timestampUtc"} <= answer.keys(), (row, answer)
    # In a look-up it is a bad request. [SPEC]
    with dps("2026-11-01") as device:
        device.subscribe("$dps/registrations/res/#")
        _, answer = ask_dps(device, "$dps/registrations/PUT/iotdps-register/?$rid=1", {})
        topic = f"$dps/registrations/GET/iotdps-get-operationstatus/?$rid=2&operationId={answer['operationId']}"
        assert ask_dps(device, topic, {"csr": good})[0] == 400


def certificates_are_renewed_at_the_hub():
    key = ec.generate_private_key(ec.SECP256R1())
    chain = issued(key)
    # A new pair [DOC-R], and the old one again [CS, PY].
    for number, new in enumerate([ec.generate_private_key(ec.SECP256R1()), key, rsa.generate_private_key(65537, 2048)]):
        with hub(chain, key) as device:
            device.subscribe(CREDENTIALS)
            rid = f"renewal-{number}"
            status, accepted = ask_hub(device, rid, {"id": DEVICE, "csr": signing_request(new)})
            # [CS-T, C-CERT]
            assert status == 202 and accepted.keys() == {"correlationId", "operationExpires"}, (status, accepted)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7,9}Z", accepted["operationExpires"]), accepted
            expires = datetime.fromisoformat(accepted["operationExpires"][:19] + "+00:00")
            assert timedelta(hours=11) < expires - datetime.now(timezone.utc) < timedelta(hours=13), expires
            status, answer = hub_answer(device, rid)
            assert status == 200 and answer.keys() == {"correlationId", "certificates"}, (status, answer)
            assert answer["correlationId"] == accepted["correlationId"], answer
            assert device.is_silent(), "the live session goes on"
        renewed = certificates(answer["certificates"])
        check_leaf(renewed[0], new)
        with hub(chain, key) as device:
            assert device.code == 0, "the old leaf stays valid to its end"
        chain, key = b"".join(map(pem, renewed)), new
        with hub(chain, key) as device:
            assert device.code == 0, device.code


def certificates_have_one_request_pending_at_a_time():
    key = ec.generate_private_key(ec.SECP256R1())
    chain = issued(key)
    csr = signing_request(key)
    with hub(chain, key) as device:
        device.subscribe(CREDENTIALS)
        Service.fault("issueLost", service="hubs")
        status, accepted = ask_hub(device, "lost-1", {"id": DEVICE, "csr": csr})
        assert status == 202, accepted
        # [JAVA, C-CERT]; [CS-T] for the members of info.
        status, answer = ask_hub(device, "other-1", {"id": DEVICE, "csr": csr})
        check_error(status, answer, 409005)
        info = {"requestId": "lost-1", **accepted}
        assert info.items() <= answer["info"].items(), answer
        status, answer = ask_hub(device, "other-1", {"id": DEVICE, "csr": csr, "replace": "nobody"})
        check_error(status, answer, 412001)
        assert answer["info"]["requestId"] == "nobody", answer
        # The same rid again: idempotent. [C-CERT]
        assert ask_hub(device, "lost-1", {"id": DEVICE, "csr": csr}) == (202, accepted)
        Service.fault("issueLost", service="hubs")
        assert ask_hub(device, "other-1", {"id": DEVICE, "csr": csr, "replace": "lost-1"})[0] == 202
        assert ask_hub(device, "other-2", {"id": DEVICE, "csr": csr, "replace": "*"})[0] == 202
        status, answer = hub_answer(device, "other-2")
        check_leaf(certificates(answer["certificates"])[0], key)
        # "two requests one after the other: both succeed" [CS-T]
        assert ask_hub(device, "other-3", {"id": DEVICE, "csr": csr})[0] == 202
        assert hub_answer(device, "other-3")[0] == 200


def certificates_wait_for_a_subscription():
    """[CS-T]"""
    key = ec.generate_private_key(ec.SECP256R1())
    chain = issued(key)
    body = {"id": DEVICE, "csr": signing_request(key)}
    with hub(chain, key) as device:
        device.publish(ISSUE.format(rid="never-1"), body)
        assert device.is_silent(), "never subscribed: no answer"
        device.subscribe(CREDENTIALS)
        assert ask_hub(device, "held-1", body)[0] == 202
        device.unsubscribe(CREDENTIALS)
        assert device.is_silent()
        device.subscribe(CREDENTIALS)
        assert hub_answer(device, "held-1")[0] == 200, "after subscribing again"
    with hub(chain, key, clean=False) as device:
        device.subscribe(CREDENTIALS)
        assert ask_hub(device, "held-2", body)[0] == 202
    with hub(chain, key, clean=False) as device:
        assert hub_answer(device, "held-2")[0] == 200, "clean session 0"
        assert ask_hub(device, "held-3", body)[0] == 202
    with hub(chain, key) as device:
        assert device.is_silent(), "clean session 1, not subscribed"
        device.subscribe(CREDENTIALS)
        assert hub_answer(device, "held-3")[0] == 200, "clean session 1, subscribed again"


def certificates_are_not_renewed_for_bad_requests():
    key = ec.generate_private_key(ec.SECP256R1())
    chain = issued(key)
    csr = signing_request(key)
    good = {"id": DEVICE, "csr": csr}
    # [CS-T]
    at_once = [
        ("body missing", "", 400004),
        ("array instead of object", [], 400004),
        ("empty csr", {**good, "csr": ""}, 400004),
        ("csr over 8 KB", {**good, "csr": "A" * 8196}, 400004),
        ("bad base64", {**good, "csr": "%"}, 400004),
        ("wrong id", {**good, "id": "another"}, 400004),
        ("empty id", {**good, "id": ""}, 400004),
        ("unknown field", {**good, "more": 1}, 400004),
        ("bad replace", {**good, "replace": "-"}, 400004),
        ("JSON cannot be parsed", "{", 400006),
    ]
    with hub(chain, key) as device:
        device.subscribe(CREDENTIALS)
        for row, body, code in at_once:
            check_error(*ask_hub(device, "bad-1", body), code)
        # After a 202; newer number. [JAVA, C-CERT]
        status, accepted = ask_hub(device, "late-1", {**good, "csr": base64.b64encode(b"nothing").decode()})
        assert status == 202, accepted
        status, answer = hub_answer(device, "late-1")
        check_error(status, answer, 400040)
        assert answer["info"]["credentialError"] == "FailedToDecodeCsr", answer
        assert answer["info"]["correlationId"] == accepted["correlationId"], answer
    # An older api-version. [JAVA]
    with hub(chain, key, version="2021-04-12") as device:
        device.subscribe(CREDENTIALS)
        check_error(*ask_hub(device, "old-1", good), 400001)


if __name__ == "__main__":
    run(
        certificates_are_enrolled_by_the_members_of_each_version,
        certificates_come_with_the_assignment,
        certificates_are_null_where_none_was_asked_for,
        certificates_are_refused_for_bad_requests,
        certificates_are_renewed_at_the_hub,
        certificates_have_one_request_pending_at_a_time,
        certificates_wait_for_a_subscription,
        certificates_are_not_renewed_for_bad_requests,
    )
