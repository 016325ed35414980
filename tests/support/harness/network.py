"""Several machines on one: a network namespace each, joined by a bridge in one more. Nothing of the
host's own network is touched. Rates are shaped by tbf at both ends of each cable, so that upload
and download have a limit each."""

import itertools
import os
import subprocess

from .run import Skipped, needs_program, needs_root

BURST_BYTES = 64 << 10   # one segmentation-offload packet
QUEUE_MS = 50            # of a home router that is not too bad
_counter = itertools.count()


def needs_namespaces():
    """Skips the test where network namespaces cannot be used."""
    needs_root("make network namespaces")
    needs_program("ip")
    needs_program("tc")
    name = f"shoal-probe-{os.getpid()}"
    probe = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False)
    if probe.returncode != 0:
        raise Skipped(f"cannot make a network namespace: {probe.stderr.decode().strip()}")
    subprocess.run(["ip", "netns", "del", name], check=False)


def _do(*words):
    subprocess.run(words, check=True, capture_output=True)


# For machines that count as local to each other.
LAN = "192.168.77.{}/24"
LAN_V6 = "fd00:5a0a::{}/64"


class Network:
    """machine(name) adds one and returns (namespace, address). Removed with its scope."""

    def __init__(self, scope, subnet="203.0.113.{}/24"):
        """The default is TEST-NET-3: no peer takes it for a local network."""
        self.subnet = subnet
        self.prefix = f"shoal{os.getpid()}-{next(_counter)}"
        self.switch = f"{self.prefix}-switch"
        self.namespaces = []
        self.ports = 0
        scope.cleanups.append(self.remove)
        self._namespace(self.switch)
        self._in(self.switch, "ip", "link", "add", "br0", "type", "bridge")
        self._in(self.switch, "ip", "link", "set", "br0", "up")

    def _namespace(self, name):
        _do("ip", "netns", "add", name)
        self.namespaces.append(name)
        self._in(name, "ip", "link", "set", "lo", "up")

    @staticmethod
    def _in(namespace, *words):
        _do("ip", "netns", "exec", namespace, *words)

    def machine(self, name, mbit_up=0, mbit_down=0):
        """A machine on the bridge; rates in Mbit/s, 0: not limited."""
        namespace = f"{self.prefix}-{name}"
        self.ports += 1
        port = f"port{self.ports}"
        address, _, bits = self.subnet.format(self.ports).partition("/")
        nodad = ["nodad"] if ":" in address else []  # usable at once
        self._namespace(namespace)
        _do("ip", "link", "add", port, "netns", self.switch, "type", "veth",
            "peer", "name", "eth0", "netns", namespace)
        self._in(self.switch, "ip", "link", "set", port, "master", "br0", "up")
        self._in(namespace, "ip", "address", "add", f"{address}/{bits}", "dev", "eth0", *nodad)
        self._in(namespace, "ip", "link", "set", "eth0", "up")
        self._in(namespace, "ip", "route", "add", "default", "dev", "eth0")
        self._shape(namespace, "eth0", mbit_up)
        self._shape(self.switch, port, mbit_down)
        return namespace, address

    def _shape(self, namespace, device, mbit):
        if mbit:
            self._in(namespace, "tc", "qdisc", "add", "dev", device, "root", "tbf", "rate",
                     f"{mbit}mbit", "burst", str(BURST_BYTES), "latency", f"{QUEUE_MS}ms")

    def remove(self):
        for name in reversed(self.namespaces):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
