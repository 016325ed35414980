#!/usr/bin/env python3
"""Kills shoald with SIGKILL during updates, at random moments and at each named step, and checks
after every restart that the installed tree is all of one version, that the update then goes on to
its end, that what had been fetched is not fetched again, and that the user's files are kept.

    kill_test.py [--full] [--seed N] [--kills N]

20 kills (CI), 200 with --full, which also fails when a named step was never reached. The seed of
the random moments is printed.
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
    for each of many things is "name:0", "name:1", …: the first and a later one; of the waves in
    which files are staged (4,096 things each) only the first."""
    found = set()
    for file in [*(ROOT / "lib/agent").glob("*.cpp"), *(ROOT / "lib/install").glob("*.cpp")]:
        for name, after in re.findall(r'"((?:plan|delta|stage|fetch|commit)\.[a-z_]+)"([,)])',
                                      file.read_text()):
            if name.startswith("stage.") and name != "stage.done":
                found.add(f"{name}:0")
            else:
                found.update([name] if after == ")" else [f"{name}:0", f"{name}:3"])
    check(found, "no named steps in lib/agent and lib/install")
    return sorted(found)


class Trouble:
    """What has to be in the way of an update for some steps to be reached. `changed` names files
    that may differ from the old version's; `mine` maps the user's bytes to where they were put."""

    def __init__(self, bench, new):
        self.bench, self.new = bench, new
        self.changed, self.mine = set(), {}

    def before(self):
        """Done while the old version is installed and nothing runs."""

    def during(self, change):
        """Done while the update runs."""

    def after(self):
        """Done when the update has ended well, before the tree is compared."""

    def wait_for_fetch(self, change, bytes_fetched=200_000):
        api = self.bench.machine.api
        wait_until(lambda: api.change(change)["bytes"]["fetched"] > bytes_fetched, PATIENCE_S,
                   "it fetches")

    def put(self, name):
        file = self.bench.machine.tree() / name
        file.parent.mkdir(parents=True, exist_ok=True)
        text = f"mine: {name} before {self.new} ({len(self.bench.results)})"
        file.write_text(text)
        self.mine[text] = name
        self.changed.add(name)


class ChangedByUser(Trouble):
    """Files that the user changed: the update moves them aside."""

    def before(self):
        tree = self.bench.machine.tree()
        for file in sorted((tree / "data/small/1").iterdir())[:5]:
            self.put(str(file.relative_to(tree)))


class InTheWay(Trouble):
    """Files of the user's where, since the plan was made, a new file or folder has to go."""

    def during(self, change):
        self.wait_for_fetch(change)
        if self.new == "2":
            self.put("data/level5.pak")  # a file where a file goes
        else:
            self.put("data/level3.pak/mine")  # a folder where a file goes
            self.put("data/small/0")  # a file where a folder goes


class Damaged(Trouble):
    """A file with wrong bytes and a right stamp is copied from: its pieces are checked again."""

    def before(self):
        file = self.bench.machine.tree() / "bin/game"
        status = file.stat()
        with open(file, "r+b") as stream:
            stream.seek(1000)
            stream.write(b"damaged")
        os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.changed.add("bin/game")

    def after(self):  # nothing reads a file that stays: verify and repair are there for that
        machine = self.bench.machine
        machine.wait_change(machine.api.start("repair", PRODUCT), PATIENCE_S)


class KilledBefore(Trouble):
    """The update was killed once before, so that it finds what it had staged."""

    def during(self, change):
        machine = self.bench.machine
        self.wait_for_fetch(change, 2_000_000)
        machine.process.kill()
        machine.start(self.bench.environment)


NEEDED = {"commit.aside": ChangedByUser, "commit.obstacle": InTheWay, "stage.recheck": Damaged,
          "stage.resume": KilledBefore}


class Bench:
    """One machine that is updated back and forth between two versions."""

    def __init__(self, scope, rng):
        self.rng = rng
        self.results = []
        self.environment = None
        self.source = {"1": trees.make_tree(scope.path / "v1", TREE_MB)}
        self.source["2"] = trees.edit_tree(self.source["1"], scope.path / "v2")
        for file in (self.source["2"] / "data/small/2").iterdir():
            file.chmod(0o755)
        # From 1 to 2 by a delta of several groups, back by recipes: of this file no chunk survives.
        level = self.source["2"] / "data/level4.pak"
        data = bytearray(level.read_bytes())
        data[::4096] = bytes(byte ^ 1 for byte in data[::4096])
        level.write_bytes(data)
        self.repository = Repository(scope)
        self.repository.release(self.source["1"], "1")
        self.repository.release(self.source["2"], "2",
                                more=("--delta-from", "1", "--memory", "32MiB"))
        self.edge = EdgeServer(self.repository.path)
        scope.cleanups.append(self.edge.close)
        self.edge.rate_bytes_per_s = EDGE_BYTES_PER_S
        self.machine = Machine(scope, "machine", scope.address(1), consent="denied")
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
        self.environment = environment
        self.machine.start(environment).wait_ready()

    def begin(self, version):
        self.repository.channel(version)
        self.edge.forget_counts()
        return self.machine.api.start("update", PRODUCT)

    def finish(self, change, version, trouble=None):
        self.machine.wait_change(change, PATIENCE_S)
        check(self.machine.api.version_of(PRODUCT) == version, "the version did not change")
        if trouble:
            trouble.after()
        self.machine.check_tree(self.source[version])

    def check_whole(self, old, new, trouble):
        """After a restart without the edge's bundles: the tree is all of the version told."""
        def settled():
            change = self.machine.api.changes()
            return not change or change[0]["state"] in (*ENDED, "waiting")
        wait_until(settled, PATIENCE_S, "the update waits for the edge, or has ended")
        version = self.machine.api.version_of(PRODUCT)
        check(version in (old, new), f"version {version} is neither {old} nor {new}")
        wrong = trees.differences(self.source[version], self.machine.tree(), limit=1000)
        wrong = [line for line in wrong if not any(name in line for name in trouble.changed)]
        check(not wrong, f"the tree is not that of version {version}: " + "; ".join(wrong[:10]))
        return version

    def check_nothing_lost(self, trouble):
        for text, name in trouble.mine.items():
            kept = [p for p in self.machine.library.rglob(Path(name).name)
                    if p.is_file() and p.stat().st_size == len(text) and p.read_text() == text]
            check(len(kept) == 1, f"the user's {name} is kept {len(kept)} times")

    def one_kill(self, new, moment, describe, trouble, again_after=None):
        """Updates to `new`, is killed (moment() returns at that moment), recovers; with
        `again_after` it is killed once more so many seconds into the recovery."""
        old = "1" if new == "2" else "2"
        trouble.before()
        change = self.begin(new)
        trouble.during(change)
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
        version = self.check_whole(old, new, trouble)
        self.edge.status_for = {}
        change = self.machine.api.changes()[0]
        if version != new and change["state"] in ("failed", "cancelled"):
            raise Failed(f"the update was given up: {change}")
        self.finish(change["id"], new, trouble)
        self.check_nothing_lost(trouble)
        served = self.edge.bundle_bytes()
        check(served <= self.undisturbed[new] + IN_FLIGHT_BYTES,
              f"{served} bytes from the edge, undisturbed {self.undisturbed[new]}: what had been "
              "fetched was fetched again")
        leftovers = self.leftovers()
        check(not leftovers, f"left behind after the update: {leftovers}")
        self.results.append(describe)
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
        trouble = self.rng.choice((Trouble, Trouble, ChangedByUser))(self, new)
        self.one_kill(new, moment, f"at {delay:.3f} s", trouble, again)

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
        trouble = NEEDED.get(step.split(":")[0], Trouble)(self, new)
        self.one_kill(new, moment, f"at step {step}", trouble)
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
            reached = {}
            steps = named_steps()
            for i, step in enumerate(schedule(steps, kills, rng)):
                new = "2" if i % 2 == 0 else "1"
                if step is None:
                    bench.kill_at_random(new)
                else:
                    reached[step] = bench.kill_at_step(new, step) or reached.get(step, False)
            never = [step for step, was in reached.items() if not was]
            print(f"{len(reached) - len(never)} of {len(steps)} named steps reached")
            both_ways = kills >= 2 * len(steps)  # some steps are reached in one direction only
            check(not never or not both_ways, f"steps that no update reached: {' '.join(never)}")
    except Failed as error:
        print(f"FAILED (seed {arguments.seed}): {error}")
        return 1
    print(f"{kills} kills, each time a whole tree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
