"""Counts what holds and what does not, and says which."""

import asyncio
import base64
import hashlib
import hmac
import http.client
import json
import os
import ssl
import time
import traceback
import urllib.parse

lab = os.environ["EMULATOR_LAB"]
with open(os.path.join(lab, "serve.json")) as file:
    emulator = json.load(file)


def file(name):
    return os.path.join(lab, name)


def text(name):
    with open(file(name)) as opened:
        return opened.read()


def connection_string(service, policy):
    for string in emulator["connectionStrings"]:
        if string["service"].startswith(service) and string["policy"] == policy:
            return string["named"]
    raise KeyError(service)


def service(label, policy, method, path, body=None, headers=None, version="2021-10-01"):
    """A call of a service, as none of the Python SDKs makes it."""
    parts = dict(part.split("=", 1) for part in connection_string(label, policy).split(";"))
    host = parts["HostName"].split(":")[0]
    expiry = str(int(time.time()) + 600)
    resource = urllib.parse.quote(host, safe="")
    key = base64.b64decode(parts["SharedAccessKey"])
    signature = hmac.new(key, f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(signature), safe="")
    token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={policy}"
    context = ssl.create_default_context(cadata=text("server-ca.pem"))
    connection = http.client.HTTPSConnection(host, emulator["servicePort"], context=context, timeout=30)
    separator = "&" if "?" in path else "?"
    connection.request(
        method,
        f"{path}{separator}api-version={version}",
        body if isinstance(body, (str, type(None))) else json.dumps(body),
        {"Authorization": token, "Content-Type": "application/json; charset=utf-8", **(headers or {})},
    )
    response = connection.getresponse()
    content = response.read()
    assert response.status < 300, (response.status, content)
    return json.loads(content) if content else None


def status_of(call):
    """The status that a call of an SDK is refused with; none, if it is not."""
    try:
        call()
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is None:
            raise
        return status
    return None


results = {"passed": 0, "failed": 0}


def run(*checks):
    for check in checks:
        name = check.__name__.replace("_", " ")
        try:
            outcome = check()
            if asyncio.iscoroutine(outcome):
                asyncio.run(asyncio.wait_for(outcome, 60))
            results["passed"] += 1
            print(f"ok      {name}", flush=True)
        except BaseException:
            results["failed"] += 1
            print(f"FAILED  {name}", flush=True)
            traceback.print_exc()
    print(f"RESULT {results['passed']} {results['failed']}", flush=True)
