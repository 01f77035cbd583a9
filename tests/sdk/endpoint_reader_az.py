"""The same with `az iot hub monitor-events --login`: endpoint_reader_az.py LAB_DIRECTORY {live|history}. It runs beside the
interpreter that has azure-cli, whose extension azure-iot is in AZURE_EXTENSION_DIR. It knows the port 5671 alone."""

import json
import subprocess
import sys
import threading
import time

PATIENCE = 900


def events(lines):
    """The objects that are printed one after the other, each from its brace in the first column to the other one."""
    gathered = []
    for line in lines:
        if line.startswith("{"):
            gathered = []
        gathered.append(line)
        if line.startswith("}"):
            yield json.loads("".join(gathered))["event"]


def main():
    lab, mode = sys.argv[1:3]
    with open(f"{lab}/load.json") as file:
        told = json.loads(file.readline())
    policy = next(s for s in told["connectionStrings"] if s["policy"] == "iothubowner" and "HostName=hub-1" in s["named"])
    # Its AMQP looks for the port 5671 by itself.
    host, rest = policy["named"].split(";", 1)
    login = host.split(":")[0] + ";" + rest
    az = subprocess.Popen(
        [sys.executable, "-m", "azure.cli", "iot", "hub", "monitor-events", "--login", login]
        + ["--enqueued-time", "1", "--timeout", "60", "--yes", "--only-show-errors"],
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE, az.terminate)
    watchdog.start()
    following, wanted = {}, told["messages"]
    seen = {"read": 0, "repeated": 0, "outOfOrder": 0, "begun": None, "ended": None}
    for event in events(az.stdout):
        body = event["payload"]
        body = json.loads(body) if isinstance(body, str) else body
        device, number = body["device"], body["n"]
        assert event["origin"] == device
        expected = following.get(device, 0)
        if number == expected:
            following[device] = expected + 1
        elif number < expected:
            seen["repeated"] += 1
        else:
            seen["outOfOrder"] += 1
        seen["read"] += 1
        seen["ended"] = time.monotonic()
        seen["begun"] = seen["begun"] or seen["ended"]
        if seen["outOfOrder"] or sum(following.values()) >= wanted:
            break
    watchdog.cancel()
    az.terminate()
    az.wait()
    seconds = (seen["ended"] or 0) - (seen["begun"] or 0)
    missing = wanted - sum(following.values())
    print(json.dumps({
        "reader": f"az iot hub monitor-events, {mode}",
        "perSecond": round(seen["read"] / seconds) if seconds else None,
        "missing": missing,
        "outOfOrder": seen["outOfOrder"],
        "repeated": seen["repeated"],
    }))
    sys.exit(1 if missing or seen["outOfOrder"] else 0)


main()
