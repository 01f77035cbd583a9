"""The link between the devices and the cloud: two network interfaces, and this process between them.

    link.py DEVICE_PID

It runs in the network namespace of the cloud and puts one end of the link there, the other into the namespace of the
process DEVICE_PID. Every packet goes through it, so that delay and rate hold for the handshake of TCP too, an outage is
silent as a real one is, and bytes can be counted, without any module of the kernel but `tun`.

Commands come on standard input, one JSON object a line, and are answered by one line each:

    {"delay": 0.1, "rate": 10e6}    seconds one way, bits a second each way (0: no bound)
    {"mode": "pass"}                or "hole": packets vanish; or "refuse": every TCP connection is reset
    {"counts": true}                what has passed since the last such command
"""

import collections
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

CLOUD, DEVICE = "10.83.0.1", "10.83.0.2"
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
FIN, SYN, RST, ACK = 1, 2, 4, 16
# A modem's buffer is long; what does not fit is lost, as there.
LONGEST_QUEUE = 2000


def interface(name, address, peer, namespace_of=None):
    """A TUN interface with this address, moved into the namespace of that process."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    inside = []
    if namespace_of:
        subprocess.run(["ip", "link", "set", name, "netns", str(namespace_of)], check=True)
        inside = ["nsenter", f"--net=/proc/{namespace_of}/ns/net", "--"]
        subprocess.run([*inside, "ip", "link", "set", "lo", "up"], check=True)
    subprocess.run([*inside, "ip", "address", "add", address, "peer", peer, "dev", name], check=True)
    subprocess.run([*inside, "ip", "link", "set", name, "up"], check=True)
    return tun


class Tcp:
    """The fields of a TCP segment in an IPv4 packet."""

    def __init__(self, packet):
        start = (packet[0] & 15) * 4
        self.addresses = packet[12:16], packet[16:20]
        self.ports = struct.unpack_from("!HH", packet, start)
        self.seq, self.ack, offset, self.flags = struct.unpack_from("!IIBB", packet, start + 4)
        self.length = len(packet) - start - (offset >> 4) * 4


def reset(segment, back):
    """The packet that resets the connection of this segment: back to who sent it, or as if it came from them."""
    source, target = segment.addresses
    ports = segment.ports
    seq, ack, flags = segment.seq, segment.ack, RST | ACK
    if back:
        source, target, ports = target, source, ports[::-1]
        length = segment.length + bool(segment.flags & (SYN | FIN))
        seq, ack = (segment.ack if segment.flags & ACK else 0), (segment.seq + length) & 0xFFFFFFFF
    head = struct.pack("!HHIIBBHHH", *ports, seq, ack, 5 << 4, flags, 0, 0, 0)
    sum_ = checksum(source + target + struct.pack("!HH", socket.IPPROTO_TCP, len(head)) + head)
    head = head[:16] + struct.pack("!H", sum_) + head[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(head), 0, 0, 64, socket.IPPROTO_TCP, 0, source, target)
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + head


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Direction:
    """One way of the link."""

    def __init__(self, source, target):
        self.source, self.target = source, target
        self.queue = collections.deque()
        self.free_at = 0.0
        self.delay = self.rate = 0.0
        self.ends = {}
        self.clear()

    def clear(self):
        self.packets = self.bytes = self.tls_bytes = self.connections = 0

    def count(self, packet, tcp):
        self.packets += 1
        self.bytes += len(packet)
        flow = tcp.addresses + tcp.ports
        if tcp.flags & SYN:
            self.connections += 1
            self.ends[flow] = (tcp.seq + 1) & 0xFFFFFFFF
        elif tcp.length and flow in self.ends:
            # What is sent again is no new byte.
            new = (tcp.seq + tcp.length - self.ends[flow] + 0x80000000) % 0x100000000 - 0x80000000
            if new > 0:
                self.tls_bytes += new
                self.ends[flow] = (tcp.seq + tcp.length) & 0xFFFFFFFF

    def put(self, packet, now):
        if len(self.queue) >= LONGEST_QUEUE:
            return
        if self.rate:
            self.free_at = max(now, self.free_at) + len(packet) * 8 / self.rate
            now = self.free_at
        self.queue.append((now + self.delay, packet))

    def deliver(self, now):
        while self.queue and self.queue[0][0] <= now:
            write(self.target, self.queue.popleft()[1])


def write(tun, packet):
    try:
        os.write(tun, packet)
    except OSError:
        pass  # A full interface loses packets.


class Link:
    def __init__(self, cloud, device):
        self.up, self.down = Direction(device, cloud), Direction(cloud, device)
        self.mode = "pass"

    def packet(self, way, packet, now):
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP or self.mode == "hole":
            return
        tcp = Tcp(packet)
        if self.mode == "refuse":
            if way is self.up and not tcp.flags & RST:
                write(way.source, reset(tcp, back=True))
                if not tcp.flags & SYN:
                    write(way.target, reset(tcp, back=False))
            return
        way.count(packet, tcp)
        way.put(packet, now)

    def command(self, line):
        command = json.loads(line)
        answer = {}
        for way, name in ((self.up, "up"), (self.down, "down")):
            way.delay = command.get("delay", way.delay)
            way.rate = command.get("rate", way.rate)
            if "delay" in command:
                # What is under way does not hold up what comes after it.
                soon = time.monotonic() + way.delay
                way.queue = collections.deque((min(due, soon), packet) for due, packet in way.queue)
                way.free_at = min(way.free_at, soon)
            if "counts" in command:
                kinds = ("packets", "bytes", "tls_bytes", "connections")
                answer[name] = {kind: getattr(way, kind) for kind in kinds}
                way.clear()
            if command.get("mode") == "hole":
                way.queue.clear()
        self.mode = command.get("mode", self.mode)
        print(json.dumps(answer), flush=True)

    def run(self):
        ways = {way.source: way for way in (self.up, self.down)}
        commands = b""
        while True:
            now = time.monotonic()
            for way in ways.values():
                way.deliver(now)
            due = [way.queue[0][0] for way in ways.values() if way.queue]
            wait = max(0.0, min(due) - time.monotonic()) if due else None
            for ready in select.select([*ways, sys.stdin.fileno()], [], [], wait)[0]:
                if ready in ways:
                    self.drain(ways[ready])
                    continue
                read = os.read(ready, 4096)
                if not read:
                    return
                *lines, commands = (commands + read).split(b"\n")
                for line in lines:
                    self.command(line)

    def drain(self, way):
        # Not for ever, so that the other way gets its turn.
        for _ in range(64):
            try:
                packet = os.read(way.source, 65536)
            except BlockingIOError:
                return
            self.packet(way, packet, time.monotonic())


if __name__ == "__main__":
    link = Link(interface("cloud", CLOUD, DEVICE), interface("device", DEVICE, CLOUD, sys.argv[1]))
    print("{}", flush=True)
    link.run()
