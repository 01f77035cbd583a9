"""Calls of a service by REST, as none of the Python SDKs makes them."""

import base64
import hashlib
import hmac
import http.client
import json
import ssl
import time
import urllib.parse

from checks import connection_string, emulator, text

CA = text("server-ca.pem")


def service(label, policy, method, path, body=None, headers=None):
    """A call of a service, as none of the Python SDKs makes it."""
    parts = dict(part.split("=", 1) for part in connection_string(label, policy).split(";"))
    host = parts["HostName"].split(":")[0]
    expiry = str(int(time.time()) + 600)
    resource = urllib.parse.quote(host, safe="")
    key = base64.b64decode(parts["SharedAccessKey"])
    signature = hmac.new(key, f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
    signature = urllib.parse.quote(base64.b64encode(signature), safe="")
    token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn={policy}"
    context = ssl.create_default_context(cadata=CA)
    connection = http.client.HTTPSConnection(host, emulator["servicePort"], context=context, timeout=30)
    separator = "&" if "?" in path else "?"
    connection.request(
        method,
        f"{path}{separator}api-version=2021-10-01",
        body if isinstance(body, (str, type(None))) else json.dumps(body),
        {"Authorization": token, "Content-Type": "application/json; charset=utf-8", **(headers or {})},
    )
    response = connection.getresponse()
    content = response.read()
    assert response.status < 300, (response.status, content)
    return json.loads(content) if content else None


def dps(method, path, body=None):
    return service("emulator-dps", "provisioningserviceowner", method, path, body)


def hub(label, method, path, body=None, headers=None):
    return service(label, "iothubowner", method, path, body, headers)
