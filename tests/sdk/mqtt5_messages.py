"""The protocol buffers of a hub of MQTT 5, written from the tables of Azure's own .proto files (presence, twin and direct
methods, version 1), with no code of ours and no compiler: name, then fields as (number, name, type[, label or oneof])."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

TABLES = {
    "Birth": [
        (1, "session_present", "bool"),
        (10, "reported_version", "uint64"),
        (11, "desired_version", "uint64"),
        (12, "push_desired", "bool"),
        (13, "push_reported", "bool"),
    ],
    # Ten and eleven are swapped against Birth.
    "BirthAck": [(10, "desired_version", "uint64"), (11, "reported_version", "uint64")],
    "TwinGet": [
        (1, "sections", "int32"),
        (2, "if_not_match_desired", "uint64"),
        (3, "if_not_match_reported", "uint64"),
    ],
    "TwinGetResponse": [
        (1, "desired_version", "uint64"),
        (2, "reported_version", "uint64"),
        (3, "desired_payload", "bytes", "optional"),
        (4, "reported_payload", "bytes", "optional"),
    ],
    "ReportedPatch": [(1, "if_match", "uint64"), (2, "payload", "bytes")],
    "ReportedPatchResponse": [(1, "result", "int32"), (2, "version", "uint64")],
    "Section": [(1, "version", "uint64"), (2, "payload", "bytes")],
    "TwinPush": [(1, "desired", "Section"), (2, "reported", "Section")],
    "DesiredPatch": [(1, "version", "uint64"), (2, "payload", "bytes")],
    "Probe": [(1, "method_name", "string"), (2, "response_timeout_seconds", "uint32")],
    "Ready": [(1, "ready_id", "bytes")],
    "Rejected": [(1, "reason", "int32")],
    "ProbeAck": [(1, "ready", "Ready", "answer"), (2, "rejected", "Rejected", "answer")],
    "Timestamp": [(1, "seconds", "int64"), (2, "nanos", "int32")],
    "Exec": [(1, "ready_id", "bytes"), (2, "params", "bytes"), (3, "exec_start", "Timestamp")],
    "Result": [(1, "status", "int32"), (2, "body", "bytes")],
    "Abandon": [(1, "ready_id", "bytes"), (2, "reason", "int32")],
}

# The property `type`, topic, message; up: from the device.
UP = {
    "birth:1": ("presence", "Birth"),
    "get:1": ("twin", "TwinGet"),
    "reported-patch:1": ("twin", "ReportedPatch"),
    "probe-ack:1": ("methods", "ProbeAck"),
    "result:1": ("methods", "Result"),
    "abandon:1": ("methods", "Abandon"),
}
DOWN = {
    "birth-ack:1": ("presence", "BirthAck"),
    "get-response:1": ("twin", "TwinGetResponse"),
    "reported-patch-response:1": ("twin", "ReportedPatchResponse"),
    "twin-push:1": ("twin", "TwinPush"),
    "desired-patch:1": ("twin", "DesiredPatch"),
    "probe:1": ("methods", "Probe"),
    "exec:1": ("methods", "Exec"),
}
# QoS with which both sides publish.
QOS = {"presence": 0, "twin": 0, "methods": 1, "telemetry": 1}

OK, VERSION_MISMATCH, PAYLOAD_INVALID, PAYLOAD_TOO_LARGE, INTERNAL_ERROR = 1, 2, 3, 4, 5
DESIRED, REPORTED, BOTH = 1, 2, 3


def build():
    kinds = descriptor_pb2.FieldDescriptorProto
    scalars = {name: getattr(kinds, "TYPE_" + name.upper()) for name in "bool bytes int32 int64 string uint32 uint64".split()}
    file = descriptor_pb2.FileDescriptorProto(name="hub.proto", package="hub", syntax="proto3")
    for name, fields in TABLES.items():
        message = file.message_type.add(name=name)
        oneofs = {}
        for number, field_name, kind, *label in fields:
            field = message.field.add(name=field_name, number=number, label=kinds.LABEL_OPTIONAL)
            if kind in scalars:
                field.type = scalars[kind]
            else:
                field.type = kinds.TYPE_MESSAGE
                field.type_name = f".hub.{kind}"
            if label == ["optional"]:
                field.proto3_optional = True
                oneofs[field_name] = field
            elif label:
                if label[0] not in [known.name for known in message.oneof_decl]:
                    message.oneof_decl.add(name=label[0])
                field.oneof_index = 0
        for field_name, field in oneofs.items():
            message.oneof_decl.add(name=f"_{field_name}")
            field.oneof_index = len(message.oneof_decl) - 1
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"hub.{name}")) for name in TABLES}


messages = build()
