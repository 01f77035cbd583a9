#!/usr/bin/env bash
# The proxy tinyproxy 1.11.1 answers CONNECT with a wrong password by 401, and not by 407.
#
# A proxy that wants a password says 407 Proxy Authentication Required (RFC 9110, 15.5.8), and tinyproxy does where none is sent. One
# that is wrong it answers with 401 Unauthorized, WWW-Authenticate and a page in HTML, which is what servers say, and captive portals.
#
# Here it runs with one user, and curl asks it for a tunnel without, with a wrong and with the right password.
#
# Seen: "without 407, wrong 401, right 200".
#
# What follows for a client: 401 to CONNECT is a matter of the password, too, and not a network that has something to say by HTML.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
apt-get download --quiet=2 tinyproxy-bin=1.11.1-2.1+deb12u1 >/dev/null 2>apt.log
dpkg --extract tinyproxy-bin_*.deb .
cat >tinyproxy.conf <<'CONF'
Port 18888
Listen 127.0.0.1
BasicAuth ship right
ConnectPort 18443
DefaultErrorFile "/nowhere"
CONF
python3 -c '
import socket
server = socket.create_server(("127.0.0.1", 18443))
while True:
    server.accept()[0].close()' &
server=$!
usr/bin/tinyproxy -d -c tinyproxy.conf >tinyproxy.log 2>&1 &
proxy=$!
trap 'kill "$server" "$proxy"; rm -rf "$folder"' EXIT
for port in 18443 18888; do
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
        sleep 0.1
    done
done
ask() {
    curl --silent --output /dev/null --write-out '%{http_connect}' --proxytunnel "$@" https://127.0.0.1:18443/ || true
}
seen="without $(ask --proxy http://127.0.0.1:18888), wrong $(ask --proxy http://ship:wrong@127.0.0.1:18888), \
right $(ask --proxy http://ship:right@127.0.0.1:18888)"
echo "$seen"
[ "$seen" = "without 407, wrong 401, right 200" ]
