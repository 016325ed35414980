#!/usr/bin/env python3
"""Kills shoald with SIGKILL during updates, at random moments and at each named step, and checks
after every restart that the installed tree is all of one version, that the update then goes on to
its end, and that what had been fetched is not fetched again.

    kill_test.py [--full] [--seed N] [--kills N]

20 kills (CI), 200 with --full. The seed of the random moments is printed.
"""

import argparse
import os
import random
import re
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.api import ENDED  # noqa: E402
from harness.edge_server import EdgeServer  # noqa: E402
from harness.run import ROOT, Failed, Scope, check, wait_until  # noqa: E402
from harness.world import PRODUCT, Machine, Repository  # noqa: E402

TREE_MB = 24
EDGE_BYTES_PER_S = 4_000_000  # fetching takes more than a second, so that kills fall everywhere
PATIENCE_S = 90
# What may be fetched twice: responses in flight when the process died.
IN_FLIGHT_BYTES = 2 << 20


def named_steps():
    """The steps at which SHOAL_TEST_KILL_AT can kill, read from the sources. A step that is taken
    for each of many things is "name:0", "name:1", …: the first and a later one."""
    found = set()
    for file in [*(ROOT / "lib/agent").glob("*.cpp"), *(ROOT / "lib/install").glob("*.cpp")]:
        for name, after in re.findall(r'"((?:plan|stage|fetch|commit)\.[a-z_]+)"([,)])',
                                      file.read_text()):
            found.update([name] if after == ")" else [f"{name}:0", f"{name}:3"])
    check(found, "no named steps in lib/agent and lib/install")
    return sorted(found)


class Bench:
    """One machine that is updated back and forth between two versions."""

    def __init__(self, scope, rng):
        self.rng = rng
        self.source = {"1": trees.make_tree(scope.path / "v1", TREE_MB)}
        self.source["2"] = trees.edit_tree(self.source["1"], scope.path / "v2")
        self.repository = Repository(scope)
        for version, tree in self.source.items():
            self.repository.release(tree, version)
        self.edge = EdgeServer(self.repository.path)
        scope.cleanups.append(self.edge.close)
        self.edge.rate_bytes_per_s = EDGE_BYTES_PER_S
        self.machine = Machine(scope, "machine", "127.0.0.41", consent="denied")
        self.start()
        self.machine.add_repository(self.edge.url, self.repository.root())
        self.repository.channel("1")
        self.finish(self.machine.api.start("install", PRODUCT), "1")
        # An update that is not disturbed, each way: the measure for the byte counts.
        self.undisturbed = {}
        self.seconds = 0.5
        for version in ("2", "1"):
            started = time.monotonic()
            self.finish(self.begin(version), version)
            self.undisturbed[version] = self.edge.bundle_bytes()
            self.seconds = max(self.seconds, time.monotonic() - started)

    def start(self, environment=None):
        self.machine.start(environment).wait_ready()

    def begin(self, version):
        self.repository.channel(version)
        self.edge.forget_counts()
        return self.machine.api.start("update", PRODUCT)

    def finish(self, change, version):
        self.machine.wait_change(change, PATIENCE_S)
        check(self.machine.api.version_of(PRODUCT) == version, "the version did not change")
        self.machine.check_tree(self.source[version])

    def check_whole(self, old, new):
        """After a restart without the edge's bundles: the tree is all of the version told."""
        def settled():
            change = self.machine.api.changes()
            return not change or change[0]["state"] in (*ENDED, "waiting")
        wait_until(settled, PATIENCE_S, "the update waits for the edge, or has ended")
        version = self.machine.api.version_of(PRODUCT)
        check(version in (old, new), f"version {version} is neither {old} nor {new}")
        self.machine.check_tree(self.source[version])
        return version

    def one_kill(self, new, moment, describe, again_after=None):
        """Updates to `new`, is killed (moment() returns at that moment), recovers; with
        `again_after` it is killed once more so many seconds into the recovery."""
        old = "1" if new == "2" else "2"
        change = self.begin(new)
        moment()
        self.machine.process.kill()
        served_before = self.edge.bundle_bytes()
        self.edge.status_for = {"/bundles/": 503}
        if again_after is not None:
            self.machine.start()
            time.sleep(again_after)  # on purpose, as in kill_at_random
            self.machine.process.kill()
            describe += f", again after {again_after:.3f} s"
        self.start()
        version = self.check_whole(old, new)
        self.edge.status_for = {}
        if self.machine.api.version_of(PRODUCT) != new:
            change = self.machine.api.changes()[0]["id"]
            if self.machine.api.change(change)["state"] in ("failed", "cancelled"):
                raise Failed(f"the update was given up: {self.machine.api.change(change)}")
            self.finish(change, new)
        served = self.edge.bundle_bytes()
        check(served <= self.undisturbed[new] + IN_FLIGHT_BYTES,
              f"{served} bytes from the edge, undisturbed {self.undisturbed[new]}: what had been "
              "fetched was fetched again")
        leftovers = self.leftovers()
        check(not leftovers, f"left behind after the update: {leftovers}")
        print(f"{describe:36} -> {new}: after restart {version}; edge {served_before / 1e6:5.1f} + "
              f"{(served - served_before) / 1e6:5.1f} MB (undisturbed "
              f"{self.undisturbed[new] / 1e6:.1f})", flush=True)

    def leftovers(self):
        """Staged files that stayed although nothing is going on."""
        staging = self.machine.library / ".shoal"
        return [str(p.relative_to(staging)) for p in staging.rglob("*") if p.is_file()
                and "saved" not in p.parts][:5]

    def kill_at_random(self, new):
        delay = self.rng.uniform(0, self.seconds)

        def moment():
            # The one place where time passes on purpose: the moment of death is the test's input.
            time.sleep(delay)
            os.kill(self.machine.process.pid, signal.SIGKILL)
        again = self.rng.uniform(0, 0.5) if self.rng.random() < 0.3 else None
        self.one_kill(new, moment, f"at {delay:.3f} s", again)

    def kill_at_step(self, new, step):
        """Returns whether the step was reached (an update may have no use for it)."""
        self.machine.process.stop()
        self.start({"SHOAL_TEST_KILL_AT": step})
        reached = []

        def moment():
            def dead_or_done():
                if not self.machine.process.running():
                    reached.append(True)
                    return True
                try:
                    return self.machine.api.changes()[0]["state"] in ENDED
                except OSError:
                    return False
            wait_until(dead_or_done, PATIENCE_S, f"step {step} or the end")
        self.one_kill(new, moment, f"at step {step}")
        return bool(reached)


def schedule(steps, kills, rng):
    """Every step in both directions, where the number allows, else a choice of them for half of the
    kills; the others at random moments (None)."""
    if kills >= 2 * len(steps):
        planned = [s for s in steps for _ in range(2)]
    else:
        planned = sorted(rng.sample(steps, kills // 2))
    return planned + [None] * (kills - len(planned))


def main():
    parser = argparse.ArgumentParser(description="Kills shoald during updates.")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    arguments = parser.parse_args()
    kills = arguments.kills or (200 if arguments.full else 20)
    print(f"seed {arguments.seed}, {kills} kills")
    try:
        with Scope("kill") as scope:
            rng = random.Random(arguments.seed)
            bench = Bench(scope, rng)
            never = []
            for i, step in enumerate(schedule(named_steps(), kills, rng)):
                new = "2" if i % 2 == 0 else "1"
                if step is None:
                    bench.kill_at_random(new)
                elif not bench.kill_at_step(new, step):
                    never.append(step)
            for step in sorted(set(never)):
                print(f"step {step} was not reached in {never.count(step)} of its updates")
    except Failed as error:
        print(f"FAILED (seed {arguments.seed}): {error}")
        return 1
    print(f"{kills} kills, each time a whole tree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
