"""The laboratory: the emulated cloud, the link to it, and devices as processes of their own."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import link
import programs
from receiver import Receiver

PATIENCE = 60
# What the agent logs when it knows that its connection is gone.
LOST = "connection lost"
NAMES = ["global.azure-devices-provisioning.net", "hub-1.azure-devices.net"]


def lines(stream, put):
    """Calls `put` with each JSON object of a stream, in a thread of its own."""

    def read():
        for line in stream:
            with contextlib.suppress(ValueError):
                put(json.loads(line))

    threading.Thread(target=read, daemon=True).start()


class Messages:
    """What has come: (when, what), in order, to be waited for."""

    def __init__(self):
        self.all = []
        self.changed = threading.Condition()

    def put(self, message):
        with self.changed:
            self.all.append((time.monotonic(), message))
            self.changed.notify_all()

    def wait(self, wanted, after=0.0, patience=PATIENCE):
        """The first that is wanted and came after this moment; None when patience ends."""
        end = time.monotonic() + patience
        seen = 0
        with self.changed:
            while True:
                for moment, message in self.all[seen:]:
                    if moment > after and wanted(message):
                        return moment, message
                seen = len(self.all)
                if not self.changed.wait(max(0.0, end - time.monotonic())) and time.monotonic() >= end:
                    return None

    def since(self, moment, wanted):
        with self.changed:
            return [(when, message) for when, message in self.all if when > moment and wanted(message)]


class Lab:
    """To be used inside network and mount namespaces that may be changed."""

    def __init__(self, work, names):
        self.work = Path(work)
        self.names = names
        self.receiver = Receiver()
        self.processes = []
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        hosts = self.work / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{link.CLOUD} {name}\n" for name in NAMES), "ascii")
        subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
        self.namespace = self.start(["unshare", "--net", "sleep", "infinity"])
        while os.readlink(f"/proc/{self.namespace.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        command = ["python3", programs.HERE / "link.py", str(self.namespace.pid)]
        self.link_process = self.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.link_process.stdout.readline()
        self.start_cloud()

    def start(self, command, **options):
        process = subprocess.Popen([str(word) for word in command], **options)
        self.processes.append(process)
        return process

    def start_cloud(self):
        directory = self.work / "lab"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        command = [self.work / "laboratory", "emulator", "--listen", link.CLOUD, "--directory", directory, "--json"]
        # DPS answers a registration with the hub, so that nobody waits for a poll; TLS 1.2 is what Azure's classic names speak.
        command += ["--retry-after", "0", "--tls", "1.2", "--no-rsa", "--enroll", self.work / "identities/root.pem"]
        self.events = Messages()
        emulator = self.start(command, stdout=subprocess.PIPE, text=True)
        lines(emulator.stdout, self.events.put)
        if not self.events.wait(lambda event: event.get("event") == "emulator"):
            raise SystemExit("peers: the emulator did not start")
        self.telemetry = Messages()
        monitor = self.start(
            [self.work / "laboratory", "cloud", "monitor", "--emulator", directory],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        monitor.stderr.readline()
        lines(monitor.stdout, self.telemetry.put)
        lines(monitor.stderr, lambda _: None)

    def link(self, **command):
        self.link_process.stdin.write(json.dumps(command) + "\n")
        self.link_process.stdin.flush()
        return json.loads(self.link_process.stdout.readline())

    def cloud(self, *command):
        subprocess.run(
            [self.work / "laboratory", "cloud", *command, "--emulator", self.work / "lab"],
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def device(self, name, **options):
        return Device(self, name, **options)

    def close(self):
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


class Device:
    """A device at work: the agent (`ours`, and `ours-chip` with an emulated chip), or one with an SDK."""

    def __init__(self, lab, name, fresh=True, burst=None, **settings):
        self.lab, self.name = lab, name
        work = lab.work
        self.events = Messages()
        environment = programs.peer_environment(work, name, burst)
        if name.startswith("ours"):
            if fresh:
                shutil.rmtree(work / "state" / name, ignore_errors=True)
            file = work / f"{name}.toml"
            (work / "state").mkdir(exist_ok=True)
            file.write_text(programs.tracker_toml(work, name, lab.receiver.port, **settings), "utf-8")
            command = [work / "firmware", "run", "--config", file]
            if name == "ours-chip":
                command = [work / "steady"]
                environment |= {"STEADY_TRACKER": lab.receiver.port, "STEADY_CONFIG": str(file)}
        else:
            command = programs.peer_command(work, name)
        inside = ["nsenter", f"--net=/proc/{lab.namespace.pid}/ns/net", "--"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.started = time.monotonic()
        self.process = lab.start([*inside, *command], **pipes, env=environment, text=True)
        lines(self.process.stdout, self.events.put)
        threading.Thread(target=self.keep_log, args=(self.process.stderr,), daemon=True).start()

    def keep_log(self, stream):
        with open(self.lab.work / f"{self.name}.log", "a", encoding="utf-8") as log:
            for line in stream:
                print(line, end="", file=log, flush=True)
                if LOST in line:
                    self.events.put({"event": "down"})

    def message(self, after=0.0, patience=PATIENCE):
        """When the next message of this device was at the hub; None when patience ends."""
        found = self.lab.telemetry.wait(self.is_mine, max(after, self.started), patience)
        if found is None and self.process.poll() is not None:
            raise SystemExit(f"peers: {self.name} has ended, see {self.lab.work / self.name}.log")
        return found[0] if found else None

    def next_message(self, after=0.0):
        """As `message`, of a device that must send."""
        moment = self.message(after)
        if moment is None:
            raise SystemExit(f"peers: {self.name} sends nothing, see {self.lab.work / self.name}.log")
        return moment

    def is_mine(self, message):
        return message.get("deviceId") == self.name

    def messages(self, after):
        return self.lab.telemetry.since(max(after, self.started), self.is_mine)

    def settle(self, count):
        """Waits for so many messages."""
        moment = self.started
        for _ in range(count):
            moment = self.next_message(moment)

    def processor(self):
        """Seconds that it has run, and how often its threads have slept and been woken."""
        seconds = wakes = 0
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            ran, _, _ = (task / "schedstat").read_text("ascii").split()
            seconds += int(ran) / 1e9
            for line in (task / "status").read_text("ascii").splitlines():
                if line.startswith("voluntary_ctxt_switches:"):
                    wakes += int(line.split()[1])
        return seconds, wakes

    def memory(self):
        """Unique and resident KB."""
        fields = {}
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text("ascii").splitlines()[1:]:
            words = line.split()
            fields[words[0]] = int(words[1])
        return fields["Private_Clean:"] + fields["Private_Dirty:"], fields["Rss:"]

    def end(self, how=signal.SIGKILL):
        self.process.send_signal(how)
        self.process.wait()


def multiply_journal(directory, count):
    """Makes the few readings of a journal at rest so many, by copies with new numbers."""
    with contextlib.closing(sqlite3.connect(directory / "journal.db")) as journal, journal:
        columns = "start, boot, monotonic_ms, utc_ms, stands_for, payload"
        (first,) = journal.execute("SELECT min(seq) FROM reading").fetchone()
        journal.execute("DELETE FROM reading WHERE seq > ?", (first,))
        journal.executemany(
            f"INSERT INTO reading (seq, {columns}) SELECT ?, {columns} FROM reading WHERE seq = ?",
            ((first - number, first) for number in range(1, count)),
        )

