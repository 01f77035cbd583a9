"""One emulator, from its start to its end."""

import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

PROGRAM = "CONTAINER_TRACKER"


class CloudError(RuntimeError):
    """The emulator did not start, or did not do what it was asked to. The text has its own words."""


def program():
    """The program: CONTAINER_TRACKER, or container-tracker in the path."""
    found = os.environ.get(PROGRAM) or shutil.which("container-tracker")
    if not found or not Path(found).is_file():
        raise CloudError(f"no container-tracker: put it in the path, or its file into {PROGRAM} (now {found!r})")
    return found


class Cloud:
    """A DPS and its hubs on free ports of 127.0.0.1. Use it with `with`, or call `stop`."""

    def __init__(self, seed=None, faults_seed=0, hubs=("hub-1",), options=(), timeout=30):
        self.directory = Path(tempfile.mkdtemp(prefix="container-tracker-"))
        command = [program(), "emulator", "--port", "0", "--json", "--print-connection-strings", "--no-rsa"]
        command += ["--retry-after", "1", "--faults-seed", str(faults_seed), "--directory", str(self.directory)]
        for hub in hubs:
            command += ["--hub", hub]
        if seed is not None:
            command += ["--seed-file", str(seed)]
        self._log = open(self.directory / "emulator.log", "w+b")
        self._process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=self._log)
        self._lines = queue.Queue(maxsize=10_000)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        #: Each with "service", "policy", "named" (by Azure's names) and "local" (by localhost).
        self.connection_strings = []
        self.id_scope = None
        try:
            self._begin(time.monotonic() + timeout)
        except BaseException:
            self.stop()
            raise
        #: What clients have to trust.
        self.ca_file = self.directory / "server-ca.pem"
        ports = json.loads((self.directory / "emulator.json").read_text())
        self.amqp_port = ports.get("amqpPort")

    def _read(self):
        for line in self._process.stdout:
            try:
                self._lines.put_nowait(line)
            except queue.Full:  # Nobody looks at what is told later.
                pass
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            pass

    def _begin(self, until):
        while True:
            try:
                line = self._lines.get(timeout=max(0.01, until - time.monotonic()))
            except queue.Empty:
                raise CloudError("the emulator did not start in time") from None
            if line is None:
                self._process.wait()
                self._log.seek(0)
                told = self._log.read().decode(errors="replace").strip()
                raise CloudError(f"the emulator did not start: {told}")
            told = json.loads(line)
            if "idScope" in told:
                self.id_scope = told["idScope"]
                self.port = int(told["address"].rsplit(":", 1)[1])
            elif "local" in told:
                self.connection_strings.append(told)
            elif "file" in told:
                return

    def _string(self, label, policy, form):
        for string in self.connection_strings:
            if string["service"].startswith(label) and string["policy"] == policy and string[form].startswith("HostName"):
                return string[form]
        raise CloudError(f"no connection string of the policy {policy} of {label}")

    def hub(self, policy="iothubowner", name="hub-1", named=False):
        """The connection string of a hub by localhost, or by Azure's name."""
        return self._string(name + ".", policy, "named" if named else "local")

    def dps(self, policy="provisioningserviceowner", named=False):
        """The connection string of DPS."""
        return self._string("emulator-dps.", policy, "named" if named else "local")

    def run(self, *arguments):
        """`container-tracker cloud …` on this cloud; what it shows, as JSON."""
        command = [program(), "cloud", "--emulator", str(self.directory), *arguments, "--output", "json"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise CloudError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return json.loads(done.stdout) if done.stdout.strip() else None

    def strikes(self):
        """The faults that have struck, in their order."""
        return self.run("fault", "history")

    def stop(self):
        """Ends it, and takes its directory away."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(timeout=5)
        self._process.stdout.close()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
