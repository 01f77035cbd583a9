"""Starts a local Azure DPS and IoT Hub for tests: the program `container-tracker emulator`."""

from .cloud import Cloud, CloudError

__all__ = ["Cloud", "CloudError"]
