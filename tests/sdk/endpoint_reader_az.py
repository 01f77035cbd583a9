"""The same with `az iot hub monitor-events --login`: endpoint_reader_az.py LAB_DIRECTORY {live|history}. It runs beside the
interpreter that has azure-cli, whose extension azure-iot is in AZURE_EXTENSION_DIR. It knows the port 5671 alone."""

import json
import subprocess
import sys
import threading

from endpoint_tally import Tally

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
    tally = Tally(told["messages"])
    for event in events(az.stdout):
        body = event["payload"]
        tally.take(json.loads(body) if isinstance(body, str) else body, event["origin"])
        if tally.is_over:
            break
    watchdog.cancel()
    az.terminate()
    az.wait()
    tally.tell(f"az iot hub monitor-events, {mode}")


main()
