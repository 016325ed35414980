#!/usr/bin/env python3
"""A running transfer in the user's hands: pause, resume, limit and cancel through `shoal`, restarts
of the daemon in between.

    transfer_control.py [--list] [SCENARIO]...
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.bench import PATIENCE_S, Bench  # noqa: E402
from harness.run import Scope, check, program, run, run_scenarios, wait_until  # noqa: E402
from harness.world import PRODUCT, Machine  # noqa: E402

TREE_MB = 24
EDGE_BYTES_PER_S = 3_000_000
LIMIT_BYTES_PER_S = 2_000_000
STOPS_WITHIN_S = 3.0    # of the daemon's answer to a pause or a cancel
QUIET_S = 1.0           # no byte for so long: stopped
IN_FLIGHT_BYTES = 2 << 20  # responses that a pause cut off


def shoal(machine, *words, expect=0):
    return run([program("shoal"), "--socket", machine.socket, *words], expect=expect)[0]


def wait_fetched(machine, change, count):
    wait_until(lambda: machine.api.change(change)["bytes"]["fetched"] >= count, PATIENCE_S,
               f"{count} bytes are fetched")


def wait_quiet(edge, seconds):
    """Waits until the edge has sent nothing for QUIET_S; Failed when that takes too long."""
    last = [edge.bundle_bytes(), time.monotonic()]

    def quiet():
        now = edge.bundle_bytes()
        if now != last[0]:
            last[:] = [now, time.monotonic()]
        return time.monotonic() - last[1] > QUIET_S
    wait_until(quiet, seconds + QUIET_S, f"no more bytes {seconds} s after the answer")
    return last[0]


class Transfer(Bench):
    """A bench whose edge is slow enough to do something in the middle."""

    def __init__(self, scope):
        super().__init__(scope, TREE_MB)
        self.copy = self.repository.bundle_bytes()
        self.edge.rate_bytes_per_s = EDGE_BYTES_PER_S

    def begin(self, kind):
        """Starts the change through the command line; returns its id."""
        self.edge.forget_counts()
        shoal(self.machine, kind, PRODUCT, "--no-wait")
        return self.machine.api.changes()[0]["id"]

    def pause(self, change):
        shoal(self.machine, "pause", change)
        self.machine.wait_change(change, PATIENCE_S, ("paused",))
        return wait_quiet(self.edge, STOPS_WITHIN_S)

    def staged(self):
        return [p for p in (self.machine.library / ".shoal").rglob("*") if p.is_file()]


def pause_stops_and_resume_goes_on():
    """Paused twice: no more bytes within moments; resumed, nothing is fetched again."""
    with Scope("pause") as scope:
        bench = Transfer(scope)
        machine = bench.known()
        change = bench.begin("install")
        for share in (0.2, 0.5):
            wait_fetched(machine, change, share * bench.copy)
            before = bench.pause(change)
            check("paused" in shoal(machine, "status"), "shoal status does not say that it pauses")
            shoal(machine, "pause", change, expect=None)  # again: no harm
            check(bench.edge.bundle_bytes() == before, "bytes came while it was paused")
            shoal(machine, "resume", change)
            shoal(machine, "resume", change, expect=6)  # it is not paused: conflict
        machine.wait_change(change, PATIENCE_S)
        machine.check_tree(bench.source["1"])
        served = bench.edge.bundle_bytes()
        print(f"  {served / 1e6:.1f} MB served for {bench.copy / 1e6:.1f} MB")
        check(served <= bench.copy + 2 * IN_FLIGHT_BYTES, "it fetched again what it had")
        shoal(machine, "pause", change, expect=6)  # it has ended: conflict
        shoal(machine, "pause", "999", expect=5)


def paused_stays_paused_over_restarts():
    """A paused update stays so when the daemon is stopped, and when it is killed."""
    with Scope("paused") as scope:
        bench = Transfer(scope)
        machine = bench.installed()
        bench.source["2"] = trees.make_tree(scope.path / "other", TREE_MB, seed=9)
        bench.publish_2()
        change = bench.begin("update")
        wait_fetched(machine, change, 0.3 * bench.copy)
        before = bench.pause(change)
        for end in (machine.process.stop, machine.process.kill):
            end()
            machine.start().wait_ready()
            check(machine.api.change(change)["state"] == "paused", "it goes on after a restart")
            check(wait_quiet(bench.edge, 0.5) == before, "bytes came while it was paused")
            bench.check_untouched("1")
        shoal(machine, "resume", change)
        done = machine.wait_change(change, PATIENCE_S)
        machine.check_tree(bench.source["2"])
        served = bench.edge.bundle_bytes()
        print(f"  {served / 1e6:.1f} MB served; {done['bytes']}")
        check(served <= trees.total_bytes(bench.source["2"]) + IN_FLIGHT_BYTES,
              "it fetched again what it had")


def check_rate(count, seconds, least=0.6):
    """The limit is never passed by much; a busy machine may well stay below."""
    rate = count / seconds
    print(f"  {rate / 1e6:.2f} MB/s over {seconds:.1f} s at a limit of "
          f"{LIMIT_BYTES_PER_S / 1e6:.2f} MB/s")
    check(least * LIMIT_BYTES_PER_S <= rate <= 1.2 * LIMIT_BYTES_PER_S, f"the rate is {rate:.0f}")


def check_rate_from_here(machine, change, count):
    """From here on, over so many fetched bytes, the rate is that of the limit."""
    def fetched():
        return machine.api.change(change)["bytes"]["fetched"]

    def next_news():  # the count is brought up to date twice a second
        old = fetched()
        value = wait_until(lambda: fetched() != old and fetched(), PATIENCE_S, "bytes are fetched")
        return time.monotonic(), value
    next_news()  # what was under way when the limit was set, or lay in a socket's buffer
    next_news()
    start, before = next_news()
    wait_fetched(machine, change, before + count)
    end, after = next_news()
    check_rate(after - before, end - start)


def limit_holds_for_the_edge():
    """A limit set in the middle of a transfer holds, also after a restart; `none` ends it."""
    with Scope("limit") as scope:
        bench = Transfer(scope)
        bench.edge.rate_bytes_per_s = 4 * LIMIT_BYTES_PER_S
        machine = bench.known()
        change = bench.begin("install")
        wait_fetched(machine, change, 1_000_000)
        shoal(machine, "limit", "--download", f"{LIMIT_BYTES_PER_S // 1000}kB/s")
        check_rate_from_here(machine, change, 6_000_000)
        machine.process.stop()
        machine.start().wait_ready()
        check("2.0 MB/s" in shoal(machine, "limit"), shoal(machine, "limit"))
        check_rate_from_here(machine, change, 5_000_000)
        shoal(machine, "limit", "--download", "none")
        machine.wait_change(change, PATIENCE_S)
        machine.check_tree(bench.source["1"])


def limit_holds_for_peers():
    """A seed's upload limit, and a client's download limit, hold between peers."""
    with Scope("peers") as scope:
        tracker = f"{scope.address(9)}:6969"
        scope.start([program("shoal-tracker"), "--listen", tracker, "--open"], "tracker.log")
        bench = Transfer(scope)
        bench.edge.rate_bytes_per_s = 0
        bench.repository.trackers = [f"http://{tracker}/announce"]
        bench.publish_2()
        machines = [Machine(scope, f"m{i}", scope.address(i)).start().wait_ready()
                    for i in (1, 2, 3)]
        for machine in machines:
            machine.add_repository(bench.edge.url, bench.repository.root())
        seed, slow_taker, taker = machines
        seed.wait_change(seed.api.start("install", PRODUCT), PATIENCE_S)
        bench.edge.status_for = {"/bundles/": 404}  # from here on there are peers only
        shoal(slow_taker, "limit", "--download", f"{LIMIT_BYTES_PER_S // 1000}kB/s")
        change = slow_taker.api.start("install", PRODUCT)
        done = slow_taker.wait_change(change, PATIENCE_S)
        check_rate(done["bytes"]["fetched"], done["seconds"], least=0)  # it looks for peers first
        slow_taker.check_tree(bench.source["2"])
        slow_taker.process.stop()
        shoal(seed, "limit", "--upload", f"{LIMIT_BYTES_PER_S // 1000}kB/s")
        change = taker.api.start("install", PRODUCT)
        done = taker.wait_change(change, PATIENCE_S)
        check_rate(done["bytes"]["fetched"], done["seconds"], least=0)
        taker.check_tree(bench.source["2"])


def cancel_leaves_the_old_version():
    """Cancelled running and paused: the old version whole, nothing staged left; then it goes."""
    with Scope("cancel") as scope:
        bench = Transfer(scope)
        machine = bench.installed()
        bench.source["2"] = trees.make_tree(scope.path / "other", TREE_MB, seed=9)
        bench.publish_2()
        for paused in (False, True):
            change = bench.begin("update")
            wait_fetched(machine, change, 0.2 * bench.copy)
            check(bench.staged(), "nothing is staged: the test does not test anything")
            if paused:
                bench.pause(change)
            shoal(machine, "cancel", change)
            machine.wait_change(change, PATIENCE_S, ("cancelled",))
            wait_quiet(bench.edge, STOPS_WITHIN_S)
            bench.check_untouched("1")
            check(not bench.staged(), f"left behind: {bench.staged()[:5]}")
            shoal(machine, "cancel", change, expect=6)  # it has ended: conflict
        command = [program("shoal"), "--socket", machine.socket, "update", PRODUCT]
        waiting = subprocess.Popen(command, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        wait_until(lambda: machine.api.changes()[0]["state"] == "running", PATIENCE_S, "it runs")
        shoal(machine, "cancel", machine.api.changes()[0]["id"])
        check(waiting.wait(PATIENCE_S) == 130, f"it waited for that: exit {waiting.returncode}")
        bench.edge.rate_bytes_per_s = 0
        bench.succeeds("update", "2")


def cancelled_install_leaves_nothing():
    """A first install that is cancelled: no install, no file of it in the library."""
    with Scope("cancel-install") as scope:
        bench = Transfer(scope)
        machine = bench.known()
        change = bench.begin("install")
        wait_fetched(machine, change, 0.2 * bench.copy)
        shoal(machine, "cancel", change)
        machine.wait_change(change, PATIENCE_S, ("cancelled",))
        check(not machine.api.installs(), f"{machine.api.installs()}")
        left = [p for p in machine.library.rglob("*") if not p.is_dir()]
        check(not left, f"left behind: {left[:5]}")
        bench.edge.rate_bytes_per_s = 0
        bench.succeeds("install", "1")


SCENARIOS = [pause_stops_and_resume_goes_on, paused_stays_paused_over_restarts,
             limit_holds_for_the_edge, limit_holds_for_peers, cancel_leaves_the_old_version,
             cancelled_install_leaves_nothing]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
