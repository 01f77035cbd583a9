"""What readers of a hub's built-in endpoint count: each device numbers its messages from 0 on, and every one has to come at least
once, the first of each in order."""

import json
import sys
import time


class Tally:
    def __init__(self, wanted):
        self.wanted = wanted
        self.following = {}
        self.read = self.repeated = self.out_of_order = 0
        self.begun = self.ended = None

    def take(self, body, device):
        """A message: its body, and the device that the hub names."""
        assert body["device"] == device, (body, device)
        expected = self.following.get(device, 0)
        if body["n"] == expected:
            self.following[device] = expected + 1
        elif body["n"] < expected:
            self.repeated += 1
        else:
            self.out_of_order += 1
        self.read += 1
        self.ended = time.monotonic()
        self.begun = self.begun or self.ended

    @property
    def missing(self):
        return self.wanted - sum(self.following.values())

    @property
    def is_over(self):
        """Everything is there, or something is wrong already."""
        return bool(self.out_of_order) or self.missing <= 0

    def tell(self, reader, **more):
        """Prints a line of JSON, and ends the program: with 1 if something is wrong."""
        seconds = (self.ended or 0) - (self.begun or 0)
        print(json.dumps({
            "reader": reader,
            "perSecond": round(self.read / seconds) if seconds else None,
            "missing": self.missing,
            "outOfOrder": self.out_of_order,
            "repeated": self.repeated,
            **more,
        }))
        sys.exit(1 if self.missing or self.out_of_order else 0)
