#!/usr/bin/env bash
# azure-iot-hub 2.7.0 (Python) can't read the list of jobs that a hub answers: query_scheduled_jobs() wants an object.
#
# GET /jobs/v2/query answers a bare list, its continuation in a header, as a query over twins does. Microsoft's other clients read it
# so: azure-iothub (Node) takes the body for the list, and the extension azure-iot of az has changed its generated client from
# `QueryResult` to a list, with a remark in the source. The Python service SDK still has what was generated: it looks for `type` and
# `items` in an object.
#
# Here a plain HTTP server gives one and the same job in both shapes to the SDK's own generated client.
#
# Seen: "list: DeserializationError; object: 1 job".
#
# What follows: list jobs with a REST call of your own; getting, creating and cancelling a single one works. A double of a hub that
# wants to please this client would displease the other two.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
# six: see azure-iot-hub-needs-six.sh.
venv/bin/python -m pip install --quiet --disable-pip-version-check azure-iot-hub==2.7.0 msrest==0.7.1 uamqp==1.6.11 six==1.17.0
cat >look.py <<'PYTHON'
import http.server
import json
import threading

from azure.iot.hub.protocol.iot_hub_gateway_service_ap_is import IotHubGatewayServiceAPIs
from msrest.authentication import BasicAuthentication

jobs = [{"jobId": "tags-of-july", "type": "scheduleUpdateTwin", "status": "completed"}]


def answered(body):
    class Hub(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            assert self.path.startswith("/jobs/v2/query?"), self.path
            content = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = IotHubGatewayServiceAPIs(BasicAuthentication("", ""), f"http://127.0.0.1:{server.server_port}")
    try:
        found = client.jobs.query_scheduled_jobs("scheduleUpdateTwin", "completed")
        return f"{len(found.items)} job"
    except Exception as error:
        return type(error).__name__


print(f"list: {answered(jobs)}; object: {answered({'type': 'jobResponse', 'items': jobs})}")
PYTHON
seen=$(venv/bin/python look.py)
echo "$seen"
[ "$seen" = "list: DeserializationError; object: 1 job" ]
