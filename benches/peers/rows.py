"""The rows of the table. Each takes the laboratory and the options, and yields `Row`s."""

import base64
import datetime
import gzip
import json
import shutil
import signal
import statistics
import time

import programs
from lab import multiply_journal

# Seconds one way, bits a second: a mobile network. And as good as none.
SLOW, FAST = {"delay": 0.1, "rate": 10e6}, {"delay": 0.0, "rate": 0}


class Row:
    """A line of the table: for each program a number, or None where there is none, or text such as "> 60"."""

    def __init__(self, name, label, unit, goal=""):
        self.name, self.label, self.unit, self.goal = name, label, unit, goal
        self.samples = {}

    def add(self, program, value):
        self.samples.setdefault(program, []).append(value)

    def value(self, program):
        samples = self.samples.get(program, [])
        numbers = [sample for sample in samples if not isinstance(sample, (str, type(None)))]
        if len(numbers) * 2 > len(samples):
            return statistics.median(numbers)
        return next((sample for sample in samples if isinstance(sample, str)), None)


def start(lab, options):
    """From the start of the process to the acknowledgement of the first message: when it was at the hub, and the way back."""
    cold = Row("start-cold", "start to first PUBACK, cold, 200 ms", "s", "≤ 0.62 × C")
    warm = Row("start-warm", "the same, warm (SDKs: as cold)", "s", "≤ 0.30 × C")
    near = Row("start-near", "the same, cold, 0 ms", "s", "≤ 0.25 × C")

    def once(row, name, way, **how):
        device = lab.device(name, **how)
        row.add(name, device.next_message() - device.started + way["delay"])
        device.end(signal.SIGTERM if name == "ours" else signal.SIGKILL)

    for _ in range(options.runs):
        for way, row in ((SLOW, cold), (FAST, near)):
            lab.link(**way)
            for name in lab.names:
                once(row, name, way)
                if row is cold and name == "ours":
                    once(warm, name, way, fresh=False)
    warm.samples |= {name: samples for name, samples in cold.samples.items() if name != "ours"}
    return [cold, warm, near]


def bytes_(lab, options):
    """TLS bytes, counted at the link without what TCP sends again."""
    up = Row("bytes-start-up", "TLS bytes of a cold start, up", "B", "< the SDKs")
    down = Row("bytes-start-down", "the same, down", "B", "< the SDKs")
    message = Row("bytes-message", f"TLS bytes up, a message with a body of {programs.BODY} B", "B", "≤ 1.0 × the SDKs")
    lab.link(**FAST)
    for name in lab.names:
        lab.link(counts=True)
        device = lab.device(name)
        moment = device.next_message()
        time.sleep(0.4)
        counts = lab.link(counts=True)
        up.add(name, counts["up"]["tls_bytes"])
        down.add(name, counts["down"]["tls_bytes"])
        device.settle(3)
        moment = device.messages(moment)[-1][0]
        time.sleep(0.3)
        lab.link(counts=True)
        for _ in range(8):
            moment = device.next_message(moment)
            time.sleep(0.3)
            sent = lab.link(counts=True)["up"]["tls_bytes"]
            (latest,) = device.messages(moment - 1e-9)[-1:]
            size = len(json.dumps(latest[1]["body"], separators=(",", ":"), ensure_ascii=False))
            message.add(name, sent - size + programs.BODY)
        device.end()
    return [up, down, message]


def cpu(lab, options):
    """All side by side, so that all have the same minute of the machine."""
    each = Row("cpu", "CPU of 1000 readings at 1/s", "s", "≤ 0.3 × C, with chip and receiver")
    wakes = Row("wakes", "wakes a reading, all threads", "", "≤ 2.6")
    unique = Row("uss", "unique memory (USS)", "MB", "≤ 3.0")
    resident = Row("rss", "resident memory (RSS)", "MB", "≤ 5.3")
    lab.link(**FAST)
    devices = [lab.device(name) for name in [*lab.names, "ours-chip"]]
    for device in devices:
        device.settle(10)
    begun = time.monotonic()
    before = [device.processor() for device in devices]
    time.sleep(options.readings)
    for device, (seconds, times) in zip(devices, before):
        now = device.processor()
        readings = len(device.messages(begun))
        each.add(device.name, (now[0] - seconds) * 1000 / readings)
        wakes.add(device.name, (now[1] - times) / readings)
        for row, size in zip((unique, resident), device.memory()):
            row.add(device.name, size / 1000)
        device.end()
    return [each, wakes, unique, resident]


def burst(lab, options):
    """What a backlog costs, one message a reading. The agent's comes from its journal and leaves it; the SDKs' is in memory."""
    row = Row("burst", f"CPU of 1000 messages, {programs.IN_FLIGHT} in flight", "s", "≤ 2 × C")
    lab.link(**FAST)
    peers = [name for name in lab.names if name != "ours"]
    for name in peers:
        device = lab.device(name, burst=options.messages)
        device.events.wait(lambda event: event["event"] == "ready")
        before = device.processor()[0]
        device.process.stdin.write("go\n")
        device.process.stdin.flush()
        if device.events.wait(lambda event: event["event"] == "done", patience=300):
            row.add(name, (device.processor()[0] - before) * 1000 / options.messages)
        device.end()
    if "ours" in lab.names:
        row.add("ours", drain(lab, options))
    return [row]


def drain(lab, options):
    """Two backlogs: their difference is what messages cost, without the start."""
    device = lab.device("ours")
    device.settle(3)
    lab.link(mode="hole")
    time.sleep(3)
    device.end(signal.SIGTERM)
    lab.link(mode="pass")
    state = lab.work / "state/ours"
    kept = lab.work / "state/kept"
    shutil.rmtree(kept, ignore_errors=True)
    state.rename(kept)
    spent = []
    sizes = (1000, 1000 + 5 * options.messages)
    for size in sizes:
        shutil.rmtree(state, ignore_errors=True)
        shutil.copytree(kept, state)
        multiply_journal(state, size)
        device = lab.device("ours", fresh=False, interval=86400, batch=False)
        end = time.monotonic() + 300
        while len(device.messages(0)) < size and time.monotonic() < end:
            time.sleep(0.5)
        time.sleep(1)
        spent.append(device.processor()[0])
        device.end()
    return (spent[1] - spent[0]) * 1000 / (sizes[1] - sizes[0])


def outage(lab, options, rows, seconds, begin, end):
    """Cuts all devices off side by side, for so long; how long after the end is telemetry back?"""
    again, noticed = rows
    patience = 600 if options.long else 120
    lab.link(**SLOW)
    devices = [lab.device(name) for name in lab.names]
    for device in devices:
        device.settle(5)
    cut = time.monotonic()
    begin()
    time.sleep(seconds)
    end()
    healed = time.monotonic()
    for device in devices:
        moment = device.message(healed, max(0.1, healed + patience - time.monotonic()))
        again.add(device.name, moment - healed if moment else f"> {patience}")
        down = device.events.since(cut, lambda event: event["event"] == "down")
        if noticed:
            noticed.add(device.name, down[0][0] - cut if down and down[0][0] < healed else f"> {seconds}")
        device.end()


def hole(lab, options):
    rows = []
    for seconds in (30, 356) if options.long else (30,):
        again = Row(f"hole-{seconds}", f"black hole of {seconds} s: telemetry again", "s", "≤ 3")
        noticed = Row(f"noticed-{seconds}", "dead link noticed", "s", "≤ 20") if seconds > 30 else None
        for _ in range(options.outages):
            outage(lab, options, (again, noticed), seconds, lambda: lab.link(mode="hole"), lambda: lab.link(mode="pass"))
        rows += [again, noticed] if noticed else [again]
    return rows


def refused(lab, options):
    rows = []
    for seconds in (20, 60) if options.long else (20,):
        row = Row(f"refused-{seconds}", f"TCP refused for {seconds} s: again", "s", "≤ 3")
        for _ in range(options.outages):
            outage(lab, options, (row, None), seconds, lambda: lab.link(mode="refuse"), lambda: lab.link(mode="pass"))
        rows.append(row)
    return rows


def busy(lab, options):
    """The hub answers, and says that it is unavailable."""
    row = Row("busy-20", "CONNACK 3 for 20 s: again", "s")

    def begin():
        lab.cloud("fault", "inject", "refuse-connect", "--code", "3")
        for name in lab.names:
            lab.cloud("fault", "inject", "drop-connection", "--times", "1", "-d", name)

    for _ in range(options.outages):
        outage(lab, options, (row, None), 20, begin, lambda: lab.cloud("fault", "clear", "--all"))
    return [row]


def readings(message):
    """The objects in a message."""
    body = message.get("body")
    if body is None:
        body = json.loads(gzip.decompress(base64.b64decode(message["bodyBase64"])))
    return body if isinstance(body, list) else [body]


def kill(lab, options):
    """Ten readings that can't be sent, then SIGKILL, then a new start: how many of the ten arrive?"""
    row = Row("kill", "kill -9 with 10 unsent at 1/s: arrive", "", "10 of 10")
    for _ in range(options.outages):
        lab.link(**SLOW)
        devices = [lab.device(name) for name in lab.names]
        for device in devices:
            device.settle(5)
        lab.link(mode="hole")
        cut = time.time() - time.monotonic()
        spans = {}
        for device in sorted(devices, key=lambda device: device.messages(0)[-1][0]):
            # What arrived was read some 0.15 s before: ten more have been by now, and the next is half a second away.
            last = device.messages(0)[-1][0]
            time.sleep(max(0.0, last + 10.3 - time.monotonic()))
            spans[device.name] = cut + last, time.time()
            device.end()
        lab.link(mode="pass")
        healed = time.monotonic()
        devices = [lab.device(name, fresh=False) for name in lab.names]
        time.sleep(20)
        for device in devices:
            times = set()
            for _, message in device.messages(healed):
                for reading in readings(message):
                    times.add(datetime.datetime.fromisoformat(reading["time"].replace("Z", "+00:00")).timestamp())
            begin, end = spans[device.name]
            row.add(device.name, sum(begin < moment < end for moment in times))
            device.end()
    return [row]


def silent(lab, options):
    """The service takes the connection and answers nothing: how long until the device connects anew?"""
    rows = []
    patience = 400 if options.long else 45
    for service, name, event in (("dps", "DPS", "dpsConnected"), ("hubs", "hub", "deviceConnected")):
        row = Row(f"silent-{service}", f"the {name} answers nothing: asks again", "s", "≤ 15")
        lab.link(**SLOW)
        lab.cloud("fault", "inject", "black-hole", "--service", service)
        begun = time.monotonic()
        devices = [lab.device(name) for name in lab.names]
        for device in devices:

            def mine(seen, name=device.name, event=event):
                seen = seen.get("detail", {})
                return seen.get("event") == event and name in (seen.get("registrationId"), seen.get("deviceId"))

            first = lab.events.wait(mine, begun, 30)
            again = lab.events.wait(mine, first[0], max(0.1, begun + patience - time.monotonic())) if first else None
            row.add(device.name, again[0] - first[0] if again else f"> {patience}")
        for device in devices:
            device.end()
        lab.cloud("fault", "clear", "--all")
        rows.append(row)
    return rows


ALL = {
    "start": start,
    "bytes": bytes_,
    "cpu": cpu,
    "burst": burst,
    "hole": hole,
    "refused": refused,
    "busy": busy,
    "kill": kill,
    "silent": silent,
}
