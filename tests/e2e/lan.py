#!/usr/bin/env python3
"""Two machines on one link, without a tracker: they find each other by LAN discovery and nothing
else, over IPv4, over IPv6 alone and over uTP; and a machine without consent says nothing.

    lan.py [--list] [SCENARIO]...

Exit code 77: cannot run here (not root, no network namespaces).
"""

import collections
import json
import select
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import network, trees  # noqa: E402
from harness.run import Scope, check, program, run_scenarios, wait_until  # noqa: E402
from harness.world import PRODUCT, Machine, Repository, print_table  # noqa: E402

TREE_MB = 16
PATIENCE_S = 60
PEER_PORT = 6881
EDGE_PORT = 8080
ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86DD
TCP, UDP = 6, 17
# <linux/socket.h>, <linux/if_packet.h>; the usual 200 kB are full in a moment.
SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS = 33, 263, 6
SNIFFER_BYTES = 64 << 20


def describe_packet(frame):
    """(protocol, destination, port) of an Ethernet frame; port 0 where there is none."""
    (kind,) = struct.unpack_from("!H", frame, 12)
    if kind == IPV4:
        protocol, target = frame[23], socket.inet_ntop(socket.AF_INET, frame[30:34])
        header = 14 + 4 * (frame[14] & 0xF)
    elif kind == IPV6:
        protocol, target = frame[20], socket.inet_ntop(socket.AF_INET6, frame[38:54])
        header = 54
    else:
        return kind, "", 0
    port = struct.unpack_from("!H", frame, header + 2)[0] if protocol in (TCP, UDP) else 0
    return protocol, target, port


def sniff():
    """Counts what leaves eth0; at a line on stdin, prints how many packets it missed, and
    [[protocol, target, port], bytes]..."""
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
    packets.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, SNIFFER_BYTES)
    packets.bind(("eth0", 0))
    packets.settimeout(0.1)
    print("ready", flush=True)
    counted = collections.Counter()

    def drain():
        try:
            while True:
                frame, (_, _, direction, *_) = packets.recvfrom(65536)
                if direction == socket.PACKET_OUTGOING:
                    counted[describe_packet(frame)] += len(frame)
        except TimeoutError:
            pass

    while not select.select([sys.stdin], [], [], 0)[0]:
        drain()
    drain()
    _, missed = struct.unpack("II", packets.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    print(json.dumps([missed, list(counted.items())]), flush=True)


class Sniffer:
    """What leaves a machine, from now on."""

    def __init__(self, scope, namespace):
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", namespace, sys.executable,
             __file__, "--sniff"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        scope.cleanups.append(self.process.kill)
        check(self.process.stdout.readline() == "ready\n", "the sniffer runs")

    def stop(self):
        """{(protocol, target, port): bytes}."""
        out, _ = self.process.communicate("stop\n", timeout=30)
        missed, counted = json.loads(out)
        check(missed == 0, f"the sniffer missed {missed} packets")
        return {tuple(key): count for key, count in counted}


class Link:
    """An edge and machines on one bridge whose addresses count as local."""

    def __init__(self, scope, subnet=network.LAN):
        network.needs_namespaces()
        self.scope = scope
        self.net = network.Network(scope, subnet)
        self.repository = Repository(scope)
        self.source = trees.make_tree(scope.path / "v1", TREE_MB)
        self.repository.release(self.source, "1")
        namespace, self.edge_address = self.net.machine("edge")
        host = f"[{self.edge_address}]" if ":" in self.edge_address else self.edge_address
        scope.start([program("shoal-publish"), "serve", str(self.repository.path), "--listen",
                     f"{host}:{EDGE_PORT}"], "serve.log", namespace)
        self.edge_url = f"http://{host}:{EDGE_PORT}"
        self.count = 0

    def machine(self, consent="lan", options=()):
        self.count += 1
        name = f"m{self.count}"
        namespace, address = self.net.machine(name)
        return Machine(self.scope, name, address, PEER_PORT, namespace, consent=consent,
                       options=["--lan-discovery", "true", *options])

    def start(self, machine):
        machine.start().wait_ready().add_repository(self.edge_url, self.repository.root())
        return machine

    def install(self, machine):
        change = machine.api.start("install", PRODUCT)
        done = machine.wait_change(change, PATIENCE_S)
        machine.check_tree(self.source)
        return done

    def remove_bundles(self):
        """From now on every byte of content has to come from a machine that has it."""
        (self.repository.path / "bundles").rename(self.repository.path / "no-bundles")


def second_takes_all_from_first(subnet, consent="lan"):
    with Scope("lan") as scope:
        link = Link(scope, subnet)
        options = ["--utp", "true"]
        first, second = link.machine(consent, options), link.machine(consent, options)
        before = link.install(link.start(first))
        link.remove_bundles()
        sniffer = Sniffer(scope, first.namespace)
        after = link.install(link.start(second))
        print_table([("m1", before), ("m2", after)])
        counts = after["bytes"]
        check(counts["edge"] == 0, f"the edge gave {counts['edge']} bytes")
        check(counts["lan"] == counts["peers"] > 0, f"not all were counted as local: {counts}")
        return counts["peers"], sniffer.stop()


def two_machines_find_each_other():
    """No tracker, consent for the LAN: the second machine takes everything from the first."""
    second_takes_all_from_first(network.LAN)


def over_ipv6_alone():
    """The same where there is no IPv4 address."""
    _, sent = second_takes_all_from_first(network.LAN_V6)
    check(all(":" in target or not target for _, target, _ in sent), f"IPv4 was used: {sent}")


def over_utp():
    """The same with consent for all peers, where uTP then carries most of it; never for the LAN."""
    for consent, utp in (("granted", True), ("lan", False)):
        got, sent = second_takes_all_from_first(network.LAN, consent)
        by_udp = sum(size for (protocol, _, _), size in sent.items() if protocol == UDP)
        check((by_udp > got / 2) == utp, f"{consent}: {by_udp} bytes left by UDP, of {got}")


def without_consent_nothing_leaves():
    """A machine without consent sends packets to the edge and to nobody else."""
    with Scope("denied") as scope:
        link = Link(scope)
        sniffed = {}
        # The first shows that the sniffer would see what the second must not send.
        for consent in ("lan", "denied"):
            machine = link.machine(consent)
            subprocess.run(["ip", "netns", "exec", machine.namespace, "sysctl", "-qw",
                            "net.ipv6.conf.all.disable_ipv6=1"], check=True)  # the kernel's own
            sniffer = Sniffer(scope, machine.namespace)
            link.install(link.start(machine))
            time.sleep(1)  # a seed that were to announce itself would do so at once
            machine.process.stop()
            sent = sniffer.stop()
            sniffed[consent] = {key for key in sent
                                if key[0] != ARP and key[1] != link.edge_address}
        check(any(key[0] == UDP for key in sniffed["lan"]), f"no discovery: {sniffed['lan']}")
        check(not sniffed["denied"], f"it sent packets to {sniffed['denied']}")


SCENARIOS = [two_machines_find_each_other, over_ipv6_alone, over_utp,
             without_consent_nothing_leaves]


def main():
    if "--sniff" in sys.argv:
        return sniff()
    return run_scenarios(SCENARIOS, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
