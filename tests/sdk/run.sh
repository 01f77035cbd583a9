#!/usr/bin/env bash
# Runs Microsoft's unmodified SDKs for Python and Node, devices and services, against the emulator; and for what no SDK in a
# registry can do yet, certificates from DPS and hub and a hub of MQTT 5, devices written from the tables of the reference on
# paho-mqtt.
#
#   tests/sdk/run.sh [DIRECTORY]
#   SUITES="python_device.py node_device.js" tests/sdk/run.sh    # not all of them
#
# EMULATOR_SERVE names the emulator's example `serve` where it is built already. The SDKs are installed by name from PyPI and
# npm into DIRECTORY (a throw-away one by default), Python and Node by apt where they are missing. The SDKs know only the
# ports 8883, 5671 and 443, which the emulator takes on a loopback address of its own, with the help of sudo where low ports
# are not free to all. Prints a line for each check and ends with "N passed, N failed".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
export EMULATOR_ADDRESS=${EMULATOR_ADDRESS:-127.0.83.53}
work=${1:-}
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

packages=()
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3 python3-venv)
command -v node >/dev/null || packages+=(nodejs)
command -v npm >/dev/null || packages+=(npm)
if [ "${#packages[@]}" -gt 0 ]; then
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >/dev/null
fi
if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
fi
# azure-iot-hub imports six and does not say that it needs it.
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check azure-iot-device azure-iot-hub six paho-mqtt cryptography &
python_install=$!
# Microsoft's device SDK wants an older paho-mqtt.
if [ ! -x "$work/venv-mqtt5/bin/python" ]; then
  python3 -m venv "$work/venv-mqtt5"
fi
"$work/venv-mqtt5/bin/python" -m pip install --quiet --disable-pip-version-check "paho-mqtt>=2" protobuf &
mqtt5_install=$!
(cd "$work" && npm install --silent --no-audit --no-fund --no-save \
  azure-iot-provisioning-device azure-iot-provisioning-device-mqtt azure-iot-security-x509 \
  azure-iot-device azure-iot-device-mqtt azure-iot-provisioning-service azure-iothub \
  azure-iot-device-amqp azure-iot-provisioning-device-amqp azure-iot-security-symmetric-key \
  azure-iot-device-http azure-iot-provisioning-device-http >/dev/null) &
node_install=$!
binary=${EMULATOR_SERVE:-}
if [ -z "$binary" ]; then
  binary=$(cargo build --quiet --locked --manifest-path "$repository/Cargo.toml" -p tracker-emulator --example serve \
    --message-format json-render-diagnostics | python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "serve":
        print(message["executable"])')
fi
wait "$python_install"
wait "$mqtt5_install"
wait "$node_install"

export EMULATOR_LAB=$work/lab
rm -rf "$EMULATOR_LAB"
mkdir -p "$EMULATOR_LAB"
# The emulator lives as long as its input is open.
mkfifo "$EMULATOR_LAB/input"
free_ports=$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start 2>/dev/null || echo 1024)
with_rights=()
if [ "$(id -u)" -ne 0 ] && [ "$free_ports" -gt 443 ]; then with_rights=(sudo); fi
"${with_rights[@]}" "$binary" "$EMULATOR_LAB" "$EMULATOR_ADDRESS" 8883 443 5671 <"$EMULATOR_LAB/input" >"$EMULATOR_LAB/serve.json" &
emulator=$!
exec 9>"$EMULATOR_LAB/input"
for _ in $(seq 100); do
  [ -s "$EMULATOR_LAB/serve.json" ] && break
  kill -0 "$emulator" 2>/dev/null || { echo "the emulator did not start" >&2; exit 1; }
  sleep 0.1
done

export PYTHONPATH=$here REQUESTS_CA_BUNDLE=$EMULATOR_LAB/server-ca.pem SSL_CERT_FILE=$EMULATOR_LAB/server-ca.pem
export NODE_EXTRA_CA_CERTS=$EMULATOR_LAB/server-ca.pem NODE_PATH=$work/node_modules
passed=0
failed=0
for suite in ${SUITES:-mqtt5_device.py python_device.py websocket_device.py python_service.py python_modules.py management.py node_device.js node_device_amqp.js node_device_https.js websocket_device.js node_service.js node_service_amqp.js certificates.py}; do
  case $suite in
    mqtt5_*.py) runner=("$work/venv-mqtt5/bin/python" "$here/$suite") ;;
    *.py) runner=("$work/venv/bin/python" "$here/$suite") ;;
    *.js) runner=(node --no-deprecation --require "$here/resolve.js" "$here/$suite") ;;
  esac
  output=$(timeout 150 "${runner[@]}" 2>&1) || true
  echo "$output" | grep -v '^RESULT '
  read -r ok bad < <(echo "$output" | sed -n 's/^RESULT //p' | tail -1) || { ok=0; bad=1; echo "FAILED  $suite did not end"; }
  passed=$((passed + ok))
  failed=$((failed + bad))
done
exec 9>&-
wait "$emulator" || true
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
