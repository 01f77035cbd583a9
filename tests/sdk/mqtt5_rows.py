"""Every row of the tables of a hub of MQTT 5 with bytes that Google's protobuf makes of it: what `protocol/tests/hub_v5.rs` holds
our messages against. `python mqtt5_rows.py` prints the file; the device of MQTT 5 sees to it that it is up to date."""

import json

from mqtt5_messages import BOTH, DOWN, INTERNAL_ERROR, QOS, UP, messages

# Source of the row: file, message. Members that are zero are left out on the wire.
ROWS = [
    ("presence.proto Birth", "birth:1", dict(session_present=True, reported_version=300, desired_version=7, push_desired=True, push_reported=True)),
    ("presence.proto Birth, all zero", "birth:1", {}),
    ("presence.proto BirthAck", "birth-ack:1", dict(desired_version=7, reported_version=300)),
    ("twin.proto TwinGet", "get:1", dict(sections=BOTH, if_not_match_desired=5, if_not_match_reported=6)),
    ("twin.proto TwinGetResponse", "get-response:1", dict(desired_version=2, reported_version=3, desired_payload=b"{}", reported_payload=b"")),
    ("twin.proto TwinGetResponse, filtered", "get-response:1", dict(desired_version=2, reported_version=3)),
    ("twin.proto ReportedPatch", "reported-patch:1", dict(if_match=1, payload=b'{"a":1}')),
    ("twin.proto ReportedPatchResponse", "reported-patch-response:1", dict(result=INTERNAL_ERROR, version=2**63)),
    ("twin.proto TwinPush", "twin-push:1", dict(desired=dict(version=1, payload=b"{}"), reported=dict(version=2, payload=b"[]"))),
    ("twin.proto TwinPush, reported alone", "twin-push:1", dict(reported=dict(version=2))),
    ("twin.proto DesiredPatch", "desired-patch:1", dict(version=9, payload=b"{}")),
    ("directmethods.proto Probe", "probe:1", dict(method_name="reboot", response_timeout_seconds=30)),
    ("directmethods.proto ProbeAck, ready", "probe-ack:1", dict(ready=dict(ready_id=bytes(range(16))))),
    ("directmethods.proto ProbeAck, rejected", "probe-ack:1", dict(rejected=dict(reason=3))),
    ("directmethods.proto Exec", "exec:1", dict(ready_id=bytes(range(16)), params=b"1", exec_start=dict(seconds=1_795_000_000, nanos=999_999_999))),
    ("directmethods.proto Result", "result:1", dict(status=-1, body=b"{}")),
    ("directmethods.proto Abandon", "abandon:1", dict(ready_id=bytes(range(16)), reason=2)),
]


def rows():
    for source, kind, members in ROWS:
        topic, name = {**UP, **DOWN}[kind]
        yield {
            "source": source,
            "type": kind,
            "topic": f"ih/d/{'srv' if kind in UP else 'dev'}/{topic}",
            "qos": QOS[topic],
            "body": messages[name](**members).SerializeToString().hex(),
        }


def whole():
    return json.dumps(list(rows()), indent=1) + "\n"


if __name__ == "__main__":
    print(whole(), end="")
