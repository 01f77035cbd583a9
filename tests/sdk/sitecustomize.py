"""Lets the names of Azure lead to the emulator, in this process alone; the SDKs are untouched."""

import os
import socket

_address = os.environ.get("EMULATOR_ADDRESS")
_getaddrinfo = socket.getaddrinfo


def _lookup(host, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    if _address and name and name.endswith((".azure-devices.net", ".azure-devices-provisioning.net")):
        host = _address
    return _getaddrinfo(host, *args, **kwargs)


socket.getaddrinfo = _lookup
