#!/usr/bin/env bash
# azure-iot-hub 2.7.0 (Python) can't be imported as it is installed: it uses six, and names it nowhere.
#
# Its client for AMQP imports `six.moves.urllib`. Nothing asks for six: the package requires msrest, uamqp and azure-core. For years
# it came along by accident, with isodate, which msrest needs; isodate 0.7.0 has no more use for it. So an installation that was made
# with an older isodate, or beside anything else that brings six, works, and one made anew does not.
#
# Seen: "as installed: No module named 'six'; with isodate 0.6.1: imported".
#
# What follows: whoever installs it installs six too.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
look() {
    python3 -m venv "$1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check azure-iot-hub==2.7.0 msrest==0.7.1 uamqp==1.6.11 "isodate==$2"
    "$1/bin/python" - <<'PYTHON'
try:
    import azure.iot.hub

    print("imported")
except ModuleNotFoundError as error:
    print(error)
PYTHON
}
seen="as installed: $(look new 0.7.2); with isodate 0.6.1: $(look old 0.6.1)"
echo "$seen"
[ "$seen" = "as installed: No module named 'six'; with isodate 0.6.1: imported" ]
