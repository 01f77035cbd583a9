"""The programs that are compared: where they come from, and how each is started.

Those with Microsoft's SDKs are small programs of ours. They provision themselves, connect to the hub that they get, and send a
message a second, the first at once; with PEER_BURST they send one, say "ready", wait for a line, and send so many more,
PEER_IN_FLIGHT at a time. Each prints JSON lines: {"event": "acknowledged" | "up" | "down" | "failed" | "ready" | "done"}.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
ID_SCOPE = "0ne00000001"
# The sizes of body and window of the table.
BODY, IN_FLIGHT = 150, 32
C_POLL_MS = 100

PYTHON_PACKAGES = ["azure-iot-device==2.14.0"]
CMAKE = "cmake==3.31.6"
NODE_PACKAGES = [
    "azure-iot-device@1.18.4",
    "azure-iot-device-mqtt@1.16.4",
    "azure-iot-provisioning-device@1.9.1",
    "azure-iot-provisioning-device-mqtt@1.8.1",
    "azure-iot-security-x509@1.7.12",
]


def run(*command, **options):
    try:
        subprocess.run([str(word) for word in command], check=True, **options)
    except FileNotFoundError:
        sys.exit(f"peers: the program {command[0]} is missing")
    except subprocess.CalledProcessError as error:
        sys.exit(f"peers: this failed with {error.returncode}: {' '.join(error.cmd)}")


def pip(work, *packages):
    if not (work / "venv").exists():
        venv.create(work / "venv", with_pip=True)
    run(work / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages)


def install_python(work):
    pip(work, *PYTHON_PACKAGES)


def install_node(work):
    npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save"]
    run(*npm, *NODE_PACKAGES, cwd=work, stdout=subprocess.DEVNULL)


def install_c(work, sources):
    cmake = shutil.which("cmake")
    if not cmake:
        pip(work, CMAKE)
        cmake = work / "venv/bin/cmake"
    log = work / "c.log"
    with open(log, "w", encoding="utf-8") as output:
        print(f"peers: building the C SDK, see {log}", file=sys.stderr)
        # Its CMake files are older than what a new CMake takes without being asked.
        old = ["-DCMAKE_POLICY_VERSION_MINIMUM=3.5", "-Wno-dev", "-DCMAKE_BUILD_TYPE=Release"]
        run(cmake, "-S", HERE / "c", "-B", work / "c", f"-DAZURE_IOT_SDK_C={sources}", *old, stdout=output, stderr=output)
        run(cmake, "--build", work / "c", "--target", "peer", "--parallel", stdout=output, stderr=output)


def build_ours(work, given):
    """The program as it is flashed, the same with an emulated chip in place of the bus, and the laboratory."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))
    cargo = ["cargo", "build", "--locked", "--quiet", "--manifest-path", REPOSITORY / "Cargo.toml"]
    firmware, laboratory = target / "firmware/container-tracker", target / "release/container-tracker"
    if not given:
        run(*cargo, "--release", "--bin", "container-tracker")
        run(*cargo[:1], "bench", *cargo[2:], "--profile", "firmware", "--bench", "steady", "--no-run")
        # After the benchmark, which builds a program of the same name with the laboratory in it.
        run(*cargo, "--profile", "firmware", "--no-default-features", "--features", "pkcs11,mqtt5", "--bin", "container-tracker")
    built = [path for path in (target / "firmware/deps").glob("steady-*") if not path.suffix]
    if not built:
        sys.exit("peers: the benchmark steady is not built; leave out --no-build")
    steady = max(built, key=lambda path: path.stat().st_mtime)
    # Copies: another build in the middle of a run changes nothing.
    for path, name in ((firmware, "firmware"), (laboratory, "laboratory"), (steady, "steady")):
        shutil.copy2(path, work / name)
    if subprocess.run([work / "firmware", "emulator", "--help"], capture_output=True, check=False).returncode == 0:
        sys.exit(f"peers: {firmware} has the laboratory in it; leave out --no-build")


def make_identities(work, names):
    run(REPOSITORY / "scripts/test-identity", work / "identities", *names)


def tracker_toml(work, name, port, **values):
    """The configuration of the agent: all as by default, but the certificates of this laboratory and a reading a second."""
    identities = work / "identities"
    return f"""
[dps]
id_scope = "{ID_SCOPE}"
[identity]
certificate = "{identities / name}-chain.pem"
key = "{identities / name}.key"
[connection]
roots = "{work / 'lab/server-ca.pem'}"
[clock]
trust_system = true
[telemetry]
interval = {values.get("interval", 1)}
[delivery]
batch_backlog = {str(values.get("batch", True)).lower()}
[sensors.bme280]
enabled = {str(name == "ours-chip").lower()}
[sensors.gps]
port = "{port}"
[state]
directory = "{work / 'state' / name}"
"""


def peer_environment(work, name, burst=None):
    identities = work / "identities"
    environment = {
        **os.environ,
        "PEER_ID": name,
        "PEER_ID_SCOPE": ID_SCOPE,
        "PEER_CERTIFICATE": f"{identities / name}-chain.pem",
        "PEER_KEY": f"{identities / name}.key",
        "PEER_CA": f"{work / 'lab/server-ca.pem'}",
        "PEER_BODY": str(BODY),
        "PEER_POLL_MS": str(C_POLL_MS),
        "PEER_IN_FLIGHT": str(IN_FLIGHT),
        "NODE_EXTRA_CA_CERTS": f"{work / 'lab/server-ca.pem'}",
        "NODE_PATH": f"{work / 'node_modules'}",
    }
    if burst:
        environment["PEER_BURST"] = str(burst)
    return environment


def peer_command(work, name):
    return {
        "python": [work / "venv/bin/python", HERE / "python_peer.py"],
        "node": ["node", "--no-deprecation", HERE / "node_peer.js"],
        "c": [work / "c/peer"],
    }[name]
