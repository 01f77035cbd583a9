#!/usr/bin/env bash
# Runs Microsoft's `az iot dps …` and `az iot hub …` with --login against the emulator.
#
#   tests/sdk/az.sh [DIRECTORY]
#
# The Azure CLI is installed from PyPI into DIRECTORY (a throw-away one by default). Its azure-iot extension is in no
# package registry: it is fetched from Microsoft's extension index, or taken from AZ_IOT_EXTENSION, a wheel or a copy of
# its sources. An extension needs a CLI of its time: AZURE_CLI="azure-cli==2.65.0" goes with azure-iot 0.25. Prints a line for each command and ends with "N passed, N failed".
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)
work=${1:-}
if [ -z "$work" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
fi
mkdir -p "$work"
work=$(cd "$work" && pwd)
export AZURE_CONFIG_DIR=$work/config AZURE_EXTENSION_DIR=$work/extensions
export AZURE_CORE_COLLECT_TELEMETRY=false AZURE_CORE_NO_COLOR=true

if [ ! -x "$work/venv/bin/az" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "${AZURE_CLI:-azure-cli}" "setuptools<80"
fi
az=$work/venv/bin/az
if [ ! -d "$AZURE_EXTENSION_DIR/azure-iot" ]; then
  if [ -n "${AZ_IOT_EXTENSION:-}" ]; then
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check --target "$AZURE_EXTENSION_DIR/azure-iot" "$AZ_IOT_EXTENSION" 2>/dev/null
  else
    "$az" extension add --name azure-iot --only-show-errors
  fi
fi
cargo build --quiet --locked --manifest-path "$repository/Cargo.toml"

lab=$work/lab
rm -rf "$lab"
mkdir -p "$lab"
certificate() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$1" "${@:2}" \
    -keyout "$lab/$1.key" -out "$lab/$1.pem" 2>/dev/null
}
certificate root -addext basicConstraints=critical,CA:TRUE
certificate box
# Uploading CA certificates is a matter of Azure Resource Manager; here the emulator has done it, by the name of ca-1.
"$repository/target/debug/container-tracker" emulator --port 0 --retry-after 1 --directory "$lab" --enroll "$lab/root.pem" \
  --print-connection-strings --json >"$lab/emulator.log" &
emulator=$!
trap 'kill "$emulator" 2>/dev/null || true' EXIT
for _ in $(seq 100); do
  [ -s "$lab/emulator.json" ] && break
  kill -0 "$emulator" 2>/dev/null || { echo "the emulator did not start" >&2; exit 1; }
  sleep 0.1
done
login() {
  python3 - "$lab/emulator.log" "$1" <<'PYTHON'
import json, sys
for line in open(sys.argv[1]):
    entry = json.loads(line)
    if entry.get("event") == "connectionString" and entry.get("policy") == sys.argv[2]:
        print(entry["local"])
        break
PYTHON
}
dps=$(login provisioningserviceowner)
hub=$(login iothubowner)
export REQUESTS_CA_BUNDLE=$lab/server-ca.pem

passed=0
failed=0
# check WANTED COMMAND…: the command succeeds and prints WANTED, a piece of text.
check() {
  local wanted=$1 output
  shift
  if output=$("$az" "$@" --only-show-errors 2>&1) && [[ $output == *"$wanted"* ]]; then
    passed=$((passed + 1))
    echo "ok      az ${*:1:4}"
  else
    failed=$((failed + 1))
    echo "FAILED  az ${*//SharedAccessKey=*/…}"
    echo "        wanted $wanted"
    echo "${output//SharedAccessKey=*/…}" | tail -5
  fi
}
# refused WANTED COMMAND…: the command fails and says WANTED.
refused() {
  local wanted=$1 output
  shift
  if ! output=$("$az" "$@" --only-show-errors 2>&1) && [[ $output == *"$wanted"* ]]; then
    passed=$((passed + 1))
    echo "ok      az ${*:1:4} (refused)"
  else
    failed=$((failed + 1))
    echo "FAILED  az ${*//SharedAccessKey=*/…}: is not refused with $wanted"
    echo "${output//SharedAccessKey=*/…}" | tail -5
  fi
}

at_dps=(--login "$dps" -o json)
at_hub=(--login "$hub" -o json)
group=(iot dps enrollment-group)
check '"primary": "ca-1"' "${group[@]}" create --enrollment-id g1 --ca-name ca-1 "${at_dps[@]}"
refused 400 "${group[@]}" create --enrollment-id g3 --ca-name nobody "${at_dps[@]}"
check '"symmetricKey"' "${group[@]}" create --enrollment-id g2 --primary-key "$(openssl rand -base64 64 | tr -d '\n')" \
  --secondary-key "$(openssl rand -base64 64 | tr -d '\n')" "${at_dps[@]}"
refused 409 "${group[@]}" create --enrollment-id g2 "${at_dps[@]}"
check '"g2"' "${group[@]}" list "${at_dps[@]}"
check '"provisioningStatus": "disabled"' "${group[@]}" update --enrollment-id g2 --provisioning-status disabled "${at_dps[@]}"
check '"primaryKey"' "${group[@]}" show --enrollment-id g2 --show-keys "${at_dps[@]}"
check '' "${group[@]}" compute-device-key --enrollment-id g2 --registration-id box --dps-name any "${at_dps[@]}"
check '[]' "${group[@]}" registration list --enrollment-id g2 "${at_dps[@]}"
check '' "${group[@]}" delete --enrollment-id g2 "${at_dps[@]}"
refused 404 "${group[@]}" show --enrollment-id g2 "${at_dps[@]}"

single=(iot dps enrollment)
check '"registrationId": "box"' "${single[@]}" create --enrollment-id box --attestation-type x509 \
  --certificate-path "$lab/box.pem" "${at_dps[@]}"
check '"sha256Thumbprint"' "${single[@]}" show --enrollment-id box "${at_dps[@]}"
check '"deviceId": "renamed"' "${single[@]}" update --enrollment-id box --device-id renamed "${at_dps[@]}"
check '"box"' "${single[@]}" list "${at_dps[@]}"
refused 404 "${single[@]}" registration show --enrollment-id box "${at_dps[@]}"
check '' "${single[@]}" delete --enrollment-id box "${at_dps[@]}"
refused 401 "${single[@]}" list --login "${dps%SharedAccessKey=*}SharedAccessKey=$(printf AAAA | base64)" -o json

identity=(iot hub device-identity)
check '"deviceId": "d1"' "${identity[@]}" create -d d1 "${at_hub[@]}"
refused DeviceAlreadyExists "${identity[@]}" create -d d1 "${at_hub[@]}"
check '"selfSigned"' "${identity[@]}" create -d d2 --am x509_thumbprint --ptp "$(printf 'A%.0s' $(seq 40))" \
  --stp "$(printf 'B%.0s' $(seq 40))" "${at_hub[@]}"
check '"d2"' "${identity[@]}" list "${at_hub[@]}"
check '"status": "disabled"' "${identity[@]}" update -d d1 --set status=disabled "${at_hub[@]}"
check '"status": "disabled"' "${identity[@]}" show -d d1 "${at_hub[@]}"
check 'DeviceId=d1' "${identity[@]}" connection-string show -d d1 "${at_hub[@]}"
check '' "${identity[@]}" delete -d d2 "${at_hub[@]}"
refused DeviceNotFound "${identity[@]}" show -d d2 "${at_hub[@]}"
check '"telemetryInterval": 5' iot hub device-twin update -d d1 --desired '{"telemetryInterval": 5}' "${at_hub[@]}"
check '"environment": "lab"' iot hub device-twin update -d d1 --tags '{"environment": "lab"}' "${at_hub[@]}"
check '"berth": 7' iot hub device-twin update -d d1 --set tags.berth=7 "${at_hub[@]}"
check '"telemetryInterval": 5' iot hub device-twin show -d d1 "${at_hub[@]}"
check '"deviceId": "d1"' iot hub device-twin list "${at_hub[@]}"
check '"deviceId": "d1"' iot hub query -q "SELECT deviceId FROM devices WHERE tags.environment = 'lab'" "${at_hub[@]}"
refused DeviceNotOnline iot hub invoke-device-method -d d1 --mn ping --mp '{}' --timeout 10 "${at_hub[@]}"
check '[]' iot hub module-identity list -d d1 "${at_hub[@]}"
check '' iot hub generate-sas-token -d d1 "${at_hub[@]}"
check '"priority": 1' iot hub configuration create -c c1 --content '{"deviceContent": {"properties.desired.fan": 1}}' \
  --target-condition "tags.berth = 7" --priority 1 "${at_hub[@]}"
check '"deviceId": "d1"' iot hub configuration show-metric -c c1 -m targetedCount --metric-type system "${at_hub[@]}"
check '' iot hub configuration delete -c c1 "${at_hub[@]}"
kill "$emulator"
wait "$emulator" || true
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
