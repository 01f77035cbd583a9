#!/usr/bin/env bash
# 100,000 messages of 200 devices that flap, read from a hub's built-in endpoint by azure-eventhub (Python), @azure/event-hubs
# (Node), uamqp with the calls of az, and a reader of our own, while they come and again from the start: none may be missing,
# each device's have to be in order. Prints a line of JSON for each reader, and rates.
#
#   tests/sdk/endpoint.sh [DIRECTORY]
#   MESSAGES=5000 DEVICES=20 READERS="py js" tests/sdk/endpoint.sh
#
# The clients are installed by name from PyPI and npm into DIRECTORY (a throw-away one by default); Python and Node have to be
# there. AMQP is served on the port 5671 of a loopback address, which is all that uamqp knows. The reader `az` is az itself, with
# --login: it is there when AZ_IOT_EXTENSION names its extension azure-iot, a wheel or a copy of its sources, which is in no
# package registry. It goes by Azure's names, so it runs as root, with a file of hosts of its own.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
readers=${READERS:-py js uamqp${AZ_IOT_EXTENSION:+ az}}
address=${EMULATOR_ADDRESS:-127.0.83.54}
work=${1:-}
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)

if [ ! -x "$work/venv/bin/python" ]; then
  python3 -m venv "$work/venv"
fi
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check azure-eventhub==5.15.1
case $readers in *uamqp*) "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check uamqp==1.6.11 ;; esac
case $readers in
  *az*)
    export AZURE_CONFIG_DIR=$work/az-config AZURE_EXTENSION_DIR=$work/az-extensions AZURE_CORE_COLLECT_TELEMETRY=false
    [ -x "$work/az/bin/python" ] || python3 -m venv "$work/az"
    "$work/az/bin/python" -c 'import azure.cli.core' 2>/dev/null ||
      "$work/az/bin/python" -m pip install --quiet --disable-pip-version-check "${AZURE_CLI:-azure-cli==2.65.0}" "setuptools<80"
    [ -d "$AZURE_EXTENSION_DIR/azure-iot" ] ||
      "$work/az/bin/python" -m pip install --quiet --disable-pip-version-check --target "$AZURE_EXTENSION_DIR/azure-iot" \
        "${AZ_IOT_EXTENSION:?names the extension azure-iot, a wheel or a copy of its sources}" uamqp==1.6.11
    ;;
esac
case $readers in *js*) (cd "$work" && npm install --silent --no-audit --no-fund --no-save @azure/event-hubs@6.0.4 >/dev/null) ;; esac
binary=${ENDPOINT_LOAD:-}
if [ -z "$binary" ]; then
  binary=$(cargo build --quiet --locked --profile bench --manifest-path "$repository/Cargo.toml" -p tracker-emulator \
    --example endpoint_load --message-format json-render-diagnostics | python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] == "endpoint_load":
        print(message["executable"])')
fi

lab=$work/lab
rm -rf "$lab"
mkdir -p "$lab"
mkfifo "$lab/input"
"$binary" "$lab" "$address" 5671 "${MESSAGES:-100000}" "${DEVICES:-200}" <"$lab/input" >"$lab/load.json" &
load=$!
exec 9>"$lab/input"
lines() { # COUNT SECONDS: waits until the load has told so many lines
  for _ in $(seq $(($2 * 10))); do
    [ "$(wc -l <"$lab/load.json")" -ge "$1" ] && return
    kill -0 "$load" 2>/dev/null || { echo "the load has ended too early" >&2; exit 1; }
    sleep 0.1
  done
  echo "the load takes too long" >&2
  exit 1
}
lines 1 30

case $readers in
  *az*)
    { cat /etc/hosts; grep -o '[a-z0-9.-]*\.\(azure-devices\|servicebus.windows\)\.net' "$lab/load.json" | sort -u | sed "s/^/$address /"; } >"$lab/hosts"
    # Its AMQP trusts the certificates of the package certifi alone, of which the extension brings one of its own.
    for path in "" "$AZURE_EXTENSION_DIR/azure-iot"; do
      bundle=$(PYTHONPATH=$path "$work/az/bin/python" -m certifi)
      [ -e "$bundle.own" ] || cp "$bundle" "$bundle.own"
      cat "$bundle.own" "$lab/server-ca.pem" >"$bundle"
    done
    ;;
esac
export NODE_EXTRA_CA_CERTS=$lab/server-ca.pem NODE_PATH=$work/node_modules
reader() { # READER MODE
  case $1 in
    py) "$work/venv/bin/python" "$here/endpoint_reader.py" "$lab" "$2" ;;
    js) node --no-deprecation "$here/endpoint_reader.js" "$lab" "$2" ;;
    az)
      # shellcheck disable=SC2016
      unshare --mount sh -c 'mount --make-rprivate / && mount --bind "$0/hosts" /etc/hosts && exec "$@"' "$lab" \
        "$work/az/bin/python" "$here/endpoint_reader_az.py" "$lab" "$2"
      ;;
    uamqp) "$work/venv/bin/python" "$here/endpoint_reader_uamqp.py" "$lab" "$2" ;;
  esac
}
failed=0
running=()
for name in $readers; do
  reader "$name" live &
  running+=($!)
done
sleep 3
echo go >&9
# Readers of a load that is over would wait for long.
while [ "$(jobs -pr | wc -l)" -gt 1 ]; do
  kill -0 "$load" 2>/dev/null || { echo "the load has ended too early" >&2; kill "${running[@]}" 2>/dev/null; exit 1; }
  sleep 0.5
done
for one in "${running[@]}"; do
  wait "$one" || failed=$((failed + 1))
done
lines 2 300
for name in $readers; do
  reader "$name" history || failed=$((failed + 1))
done
tail -1 "$lab/load.json"
grep -q '"history":{[^}]*"missing":0,"outOfOrder":0' "$lab/load.json" || failed=$((failed + 1))
grep -q '"live":{[^}]*"missing":0,"outOfOrder":0' "$lab/load.json" || failed=$((failed + 1))
exec 9>&-
wait "$load" || true
echo "$failed failed"
[ "$failed" -eq 0 ]
