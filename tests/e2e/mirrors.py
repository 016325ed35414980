#!/usr/bin/env python3
"""An edge of two mirrors, each an nginx in a network namespace of its own: one dies, one falls
silent, one serves wrong bytes, one is slow. The install ends well, and what is wrong with a mirror
is told.

    mirrors.py [--list] [SCENARIO]...

Exit code 77: cannot run here (not root, no network namespaces, no nginx).
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import network, trees  # noqa: E402
from harness.nginx import Nginx  # noqa: E402
from harness.run import (Scope, check, needs_program, program, run, run_scenarios,  # noqa: E402
                         wait_until)
from harness.world import PRODUCT, Machine, Repository, print_table  # noqa: E402

FAST_MBIT = 40
SLOW_MBIT = 2
TREE_MB = 32
PATIENCE_S = 240
IN_FLIGHT_BYTES = 4 << 20  # requests that were cut off or given up may be served twice
PROBE_BYTES = 256 << 10    # of a mirror that is not known; and one more frame, at most
FRAME_BYTES = 256 << 10


class Site:
    """A release behind mirrors with these rates, and a client that trusts no peer."""

    def __init__(self, scope, rates_mbit):
        network.needs_namespaces()
        needs_program("nginx")
        net = network.Network(scope)
        places = [net.machine(f"edge{i}", rate) for i, rate in enumerate(rates_mbit)]
        urls = [f"http://{address}:80" for _, address in places]
        self.repository = Repository(scope, mirrors=urls)
        self.source = trees.make_tree(scope.path / "v1", TREE_MB)
        self.repository.release(self.source, "1")
        self.mirrors = []
        for i, (namespace, address) in enumerate(places):
            root = scope.path / f"mirror{i}"
            shutil.copytree(self.repository.path, root)
            self.mirrors.append(Nginx(scope, root, address, 80, namespace, f"nginx{i}"))
        namespace, address = net.machine("m1")
        self.machine = Machine(scope, "m1", address, namespace=namespace, consent="denied")
        self.machine.start().wait_ready()
        self.machine.add_repository(urls[0], self.repository.root())
        self.watch = scope.start([program("shoal"), "--socket", str(self.machine.socket), "--json",
                                  "watch"], "watch.log")
        wait_until(lambda: self.watch.log.stat().st_size > 0, 30, "watch follows")

    def install(self):
        return self.machine.api.start("install", PRODUCT)

    def fetched_bytes(self, change):
        return self.machine.api.change(change)["bytes"]["fetched"]

    def finish(self, change):
        done = self.machine.wait_change(change, PATIENCE_S)
        self.machine.check_tree(self.source)
        print_table([("m1", done)])
        served = [mirror.bundle_bytes() for mirror in self.mirrors]
        print(f"served by the mirrors: {', '.join(f'{n / 1e6:.1f} MB' for n in served)}")
        return served

    def status(self, mirror):
        [repository] = self.machine.api.call("GET", "/repositories")["repositories"]
        [found] = [m for m in repository["mirrors"] if m["url"] == mirror.url]
        return found

    def told(self, mirror, condition):
        """Waits for an event in which the mirror's state is so."""
        def seen():
            for line in self.watch.log.read_text().splitlines():
                event = json.loads(line)
                for state in event["data"].get("mirrors", []):
                    if state["url"] == mirror.url and condition(state):
                        return state
            return None
        return wait_until(seen, PATIENCE_S, f"an event tells what is wrong with {mirror.url}")

    def shown(self):
        return run([program("shoal"), "--socket", self.machine.socket, "status"])[0]


def one_mirror_dies():
    """One of two mirrors dies in the middle: the other one gives the rest, and no more."""
    with Scope("mirror-dies") as scope:
        site = Site(scope, (FAST_MBIT, FAST_MBIT))
        first, second = site.mirrors
        change = site.install()
        wait_until(lambda: second.bundle_bytes() > 2 << 20 and first.bundle_bytes() > 2 << 20,
                   PATIENCE_S, "both serve")
        second.kill()
        check(site.fetched_bytes(change) < 0.9 * trees.total_bytes(site.source), "it died too late")
        served = site.finish(change)
        check(served[1] > 0, "the mirror that died served nothing before")
        copy = site.repository.bundle_bytes()
        check(sum(served) < copy + IN_FLIGHT_BYTES,
              f"{sum(served)} bytes served for {copy}: what was there was fetched again")
        status = site.status(second)
        check(status["last_error"] and not status["dropped"], f"{status}")
        check(status["last_error"] in site.shown(), site.shown())


def one_mirror_falls_silent():
    """One of two mirrors stops answering and keeps its connections: the other gives the rest."""
    with Scope("mirror-silent") as scope:
        site = Site(scope, (FAST_MBIT, FAST_MBIT))
        first, second = site.mirrors
        change = site.install()
        wait_until(lambda: second.bundle_bytes() > 1 << 20 and first.bundle_bytes() > 1 << 20,
                   PATIENCE_S, "both serve")
        second.freeze()
        check(site.fetched_bytes(change) < 0.9 * trees.total_bytes(site.source), "it was too late")
        site.finish(change)
        copy = site.repository.bundle_bytes()
        check(first.bundle_bytes() < copy, "what the silent one had given was fetched again")
        check(not site.status(second)["dropped"], "a silent mirror is no liar")


def one_mirror_lies():
    """One of two mirrors serves wrong bytes: blamed, dropped, told; the other one gives all."""
    with Scope("mirror-lies") as scope:
        site = Site(scope, (FAST_MBIT, FAST_MBIT))
        honest, liar = site.mirrors
        for bundle in (scope.path / "mirror1" / "bundles").rglob("*"):
            if bundle.is_file():
                data = bytearray(bundle.read_bytes())
                data[100::4096] = bytes(b ^ 1 for b in data[100::4096])
                bundle.write_bytes(data)
        served = site.finish(site.install())
        check(served[1] > 0, "the liar was never asked: the test did not test anything")
        check(served[0] >= 0.95 * site.repository.bundle_bytes(), "the honest mirror gave less")
        status = site.status(liar)
        check(status["dropped"] and status["wrong_pieces"] > 0, f"the liar: {status}")
        check(not site.status(honest)["dropped"], f"the honest one: {site.status(honest)}")
        site.told(liar, lambda state: state["dropped"] and state["wrong_pieces"] > 0)
        [line] = [line for line in site.shown().splitlines() if liar.url in line]
        check("dropped" in line, f"shoal status says: {line}")
        print(line)
        before = liar.bundle_bytes()
        newer = trees.edit_tree(site.source, scope.path / "v2")
        site.repository.release(newer, "2")
        for i in range(2):
            shutil.copytree(site.repository.path, scope.path / f"mirror{i}", dirs_exist_ok=True)
        site.source = newer
        site.finish(site.machine.api.start("update", PRODUCT))
        check(liar.bundle_bytes() == before, "the liar was asked again")


def one_mirror_is_slow():
    """One of two mirrors has a twentieth of the other's rate: it is of help, and not in the way."""
    for rates in ((FAST_MBIT, SLOW_MBIT), (SLOW_MBIT, FAST_MBIT)):
        with Scope("mirror-slow") as scope:
            site = Site(scope, rates)
            slow = site.mirrors[rates.index(SLOW_MBIT)]
            fast = site.mirrors[rates.index(FAST_MBIT)]
            served = site.finish(site.install())
            # A request that was taken from it ends on its side once it notices.
            wait_until(lambda: slow.bundle_requests(), PATIENCE_S, "a request to it has ended")
            asked = [size for size, _ in slow.bundle_requests()]
            print(f"requests: {len(asked)} to the slow one, {max(asked)} bytes at most, "
                  f"{len(fast.bundle_requests())} to the fast one")
            check(asked[0] <= PROBE_BYTES + FRAME_BYTES, f"tried with {asked[0]} bytes")
            # All requests to a mirror together should take it five seconds, and there are four.
            large = 5 * SLOW_MBIT * 1e6 / 8 / 4
            check(max(asked) < 2 * large + FRAME_BYTES, f"asked for {max(asked)} bytes at once")
            check(sum(served) < site.repository.bundle_bytes() + IN_FLIGHT_BYTES,
                  f"served {served}")
            status = site.status(slow)
            check(not status["dropped"] and not status["last_error"], f"{status}")


SCENARIOS = [one_mirror_dies, one_mirror_falls_silent, one_mirror_lies, one_mirror_is_slow]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
