#!/usr/bin/env python3
"""Updates by delta: the real programs, from the release to the installed tree. What a delta cannot
do, for whatever reason, is done without it, and the tree is right all the same.

    updates_by_delta.py [--list] [SCENARIO]...
"""

import json
import random
import re
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness.bench import PATIENCE_S, Bench, Snapshot  # noqa: E402
from harness.run import Scope, check, program, run, run_scenarios, wait_until  # noqa: E402
from harness.world import PRODUCT, Machine  # noqa: E402

EDITED = ("data/level1.pak", "data/level2.pak", "bin/game")
SMALL = 400_000  # more than these deltas, less than any of the large files


def publish_2(bench, edited=EDITED, memory="500MB", delta=True):
    """Version 2: in each of these a byte of every 4 KiB differs, so that no chunk survives; one
    file is renamed, one is there twice, one is new."""
    old, new = bench.source["1"], bench.source["2"]
    shutil.rmtree(new)
    shutil.copytree(old, new, symlinks=True)
    for name in edited:
        data = bytearray((old / name).read_bytes())
        data[7::4096] = bytes(byte ^ 1 for byte in data[7::4096])
        (new / name).write_bytes(data)
    shutil.copy(new / edited[0], new / "data/twice.pak")
    (new / "data/level0.pak").rename(new / "data/moved.pak")
    (new / "new").write_bytes(random.Random(5).randbytes(20_000))
    more = ("--delta-from", "1", "--memory", memory) if delta else ()
    bench.repository.release(new, "2", more=more)


def plan(bench):
    out, _ = run([program("shoal"), "--socket", bench.machine.socket, "--json", "plan", "update",
                  PRODUCT])
    return json.loads(out)


def way(bench):
    [component] = plan(bench)["components"]
    return component["way"]


def updated(bench):
    """Updates; the change as it ended. The edge's counts are of the update alone."""
    bench.edge.forget_counts()
    return bench.succeeds("update", "2")


def notes(change):
    return [note["note"] for note in change["notes"] if not note["path"]]


def an_update_by_delta():
    """The plan says it, the edge serves little more than the delta, the tree is right, offered to
    peers, and verifies."""
    with Scope("update-by-delta") as scope:
        bench = Bench(scope)
        bench.installed()
        publish_2(bench)
        planned = plan(bench)
        [component] = planned["components"]
        check(component["way"] == "delta" and "a delta" in component["reason"], f"{component}")
        check(planned["edge_bytes"] == component["edge_bytes"] < SMALL, f"{planned}")
        text, _ = run([program("shoal"), "--socket", bench.machine.socket, "plan", "update",
                       PRODUCT])
        check("make by delta" in text and "base: a delta: " in text, text)
        done = updated(bench)
        counts = done["bytes"]
        check(bench.edge.bundle_bytes() <= planned["edge_bytes"] + 100_000, f"{counts} {planned}")
        check(counts["delta"] == planned["delta_bytes"], f"{counts} {planned}")
        check(counts["edge"] == bench.edge.bundle_bytes(), f"{counts}")
        [task] = [task for task in done["tasks"] if task["kind"] == "delta"]
        check(task["done_bytes"] == task["total_bytes"] > 0, f"{task}")
        check(not notes(done), f"{done['notes']}")
        staged = [p for p in (bench.machine.library / ".shoal").rglob("*") if p.is_file()]
        check(not staged, f"left behind: {staged}")
        bench.machine.wait_change(bench.start("verify"), PATIENCE_S)


def a_file_that_changed_costs_its_own():
    """A file that the user changed and one that is gone are fetched, the others come by delta."""
    with Scope("delta-changed") as scope:
        bench = Bench(scope)
        bench.installed()
        publish_2(bench)
        whole = plan(bench)["edge_bytes"]
        tree = bench.machine.tree()
        game = tree / "bin/game"
        game.write_bytes(game.read_bytes()[:-5] + b"mine!")
        check(way(bench) == "delta", "a delta for the rest")
        changed = plan(bench)
        check(300_000 <= changed["edge_bytes"] - whole < 600_000, f"{changed}")
        check(changed["moved_aside"] == ["bin/game"], f"{changed}")
        (tree / "data/level2.pak").unlink()
        missing = plan(bench)
        size = (bench.source["1"] / "data/level2.pak").stat().st_size
        check(missing["edge_bytes"] - changed["edge_bytes"] >= size, f"{missing}")
        done = updated(bench)
        # The new file that holds level1.pak twice is among those that were made.
        check(done["bytes"]["delta"] >= 2 * size * 0.9, f"{done['bytes']}")
        check(bench.edge.bundle_bytes() <= missing["edge_bytes"] + 300_000, f"{done['bytes']}")
        saved = [p for p in (bench.machine.library / ".shoal/saved").rglob("game")]
        check(len(saved) == 1 and saved[0].read_bytes().endswith(b"mine!"), f"{saved}")


def delta_bundles(bench):
    """What an undisturbed update asks of the edge: the bundles of the delta alone."""
    bench.edge.requested.clear()
    updated(bench)
    return sorted(path for path in bench.edge.requested if "/bundles/" in path)


def a_delta_that_cannot_be_had_is_done_without():
    """Its bundle has wrong bytes, is cut short or missing; its torrent or index is damaged, or
    missing: the update is done by recipes, and says why."""
    with Scope("delta-damaged") as scope:
        bench = Bench(scope)
        bench.installed()
        publish_2(bench)
        snapshot = Snapshot(bench.machine)
        snapshot.restore()
        bundles = delta_bundles(bench)
        check(len(bundles) == 1, f"{bundles}")

        def by_recipes(what, planned, said):
            snapshot.restore()
            check(way(bench) == planned, f"{what}: planned {way(bench)}")
            done = updated(bench)
            check(done["bytes"]["delta"] == 0, f"{what}: {done['bytes']}")
            check(bench.edge.bundle_bytes() > SMALL, f"{what}: {done['bytes']}")
            told = [note for note in notes(done) if note.startswith("delta_not_used: ")]
            check(bool(told) == said, f"{what}: {done['notes']}")
            print(f"  {what}: {told or 'not planned with'}", flush=True)

        for fault in ("corrupt", "truncate", "endless"):
            setattr(bench.edge, fault, bundles[0])
            by_recipes(fault, "delta", True)
            setattr(bench.edge, fault, None)
        bench.edge.status_for = {bundles[0]: 404}
        by_recipes("404", "delta", True)
        for target in ("torrent", "index"):
            name = rf"base@1\.{target}$"
            bench.edge.status_for = {name: 404}
            by_recipes(f"{target} missing", "full", False)
            bench.edge.status_for = {}
            bench.edge.corrupt = name
            by_recipes(f"{target} damaged", "full", False)
            bench.edge.corrupt = None
        snapshot.restore()
        check(way(bench) == "delta", "the faults are gone")


def an_edge_that_is_away_is_waited_for():
    """An edge that answers with errors is no reason to do without the delta: it is waited for."""
    with Scope("delta-waits") as scope:
        bench = Bench(scope)
        bench.installed()
        publish_2(bench)
        bench.edge.forget_counts()
        bench.edge.status_for = {"/bundles/": 503}
        change = bench.waits("update")
        bench.edge.status_for = {}
        done = bench.machine.wait_change(change, PATIENCE_S)
        bench.machine.check_tree(bench.source["2"])
        check(done["bytes"]["delta"] > 0 and not notes(done), f"{done}")
        check(bench.edge.bundle_bytes() < SMALL, f"{done['bytes']}")


def a_delta_from_another_version_is_not_used():
    """Deltas lead from 1 to 3; a machine that has 2 takes the recipes."""
    with Scope("delta-other") as scope:
        bench = Bench(scope)
        machine = bench.installed()
        publish_2(bench, edited=("bin/game",), delta=False)
        bench.succeeds("update", "2")
        bench.source["3"] = bench.source["2"].with_name("v3")
        shutil.copytree(bench.source["2"], bench.source["3"], symlinks=True)
        level = bench.source["3"] / "data/level2.pak"
        level.write_bytes(level.read_bytes()[:-1000] + b"other")
        bench.repository.release(bench.source["3"], "3", more=("--delta-from", "1"))
        check(way(bench) == "recipes", f"{plan(bench)}")
        done = machine.wait_change(bench.start("update"), PATIENCE_S)
        machine.check_tree(bench.source["3"])
        check(done["bytes"]["delta"] == 0 and not notes(done), f"{done['bytes']}")


def a_kill_in_the_middle_costs_nothing_twice():
    """Killed while the delta is fetched and between its groups: the old tree is whole, and what was
    fetched is not fetched again."""
    with Scope("delta-kill") as scope:
        bench = Bench(scope, 32)
        bench.installed()
        publish_2(bench, memory="32MiB")
        snapshot = Snapshot(bench.machine)
        snapshot.restore()
        updated(bench)
        undisturbed = bench.edge.bundle_bytes()
        for step in ("plan.done", "delta.fetched", "delta.group:0", "delta.group:1", "delta.done",
                     "stage.done", "commit.before"):
            snapshot.restore()
            bench.machine.process.stop()
            bench.machine.start({"SHOAL_TEST_KILL_AT": step}).wait_ready()
            bench.edge.forget_counts()
            bench.start("update")
            wait_until(lambda: not bench.machine.process.running(), PATIENCE_S, f"killed at {step}")
            fetched = bench.edge.bundle_bytes()
            bench.machine.start().wait_ready()
            change = bench.machine.api.changes()[0]["id"]
            done = bench.machine.wait_change(change, PATIENCE_S)
            bench.machine.check_tree(bench.source["2"])
            check(done["bytes"]["delta"] > 0 and not notes(done), f"{step}: {done['bytes']}")
            again = bench.edge.bundle_bytes() - fetched
            print(f"  {step}: {fetched} + {again} bytes, undisturbed {undisturbed}", flush=True)
            check(step == "plan.done" or again == 0, f"{step}: {again} bytes fetched again")


LARGE = ("data/level1.pak", "data/level2.pak", "data/level3.pak", "data/level4.pak")
SLOW_BYTES_PER_S = 700_000
IN_FLIGHT_BYTES = 1 << 20  # may be fetched twice: what the edge had sent when the daemon died
HALF_MADE_BYTES = 3 << 20  # may be made twice: pieces that were not all written then


def publish_large_delta(bench):
    """Version 2: half of each large file is new, byte by byte, and no chunk of the other half
    survives: a delta of some megabytes."""
    old, new = bench.source["1"], bench.source["2"]
    shutil.rmtree(new)
    shutil.copytree(old, new, symlinks=True)
    rng = random.Random(6)
    step = 64 << 10
    for name in LARGE:
        data = bytearray((old / name).read_bytes())
        data[7::4096] = bytes(byte ^ 1 for byte in data[7::4096])
        for at in range(0, len(data) - step, 2 * step):
            data[at:at + step] = rng.randbytes(step)
        (new / name).write_bytes(data)
    bench.repository.release(new, "2", more=("--delta-from", "1"))


def delta_task(change):
    [task] = [task for task in change["tasks"] if task["kind"] == "delta"]
    return task


def is_fetched(bench, change):
    return delta_task(bench.machine.api.change(change))["state"] == "done"


def made_while_it_arrives(bench, change, least):
    """Waits until so many bytes of new files are made; the change as it was then, its delta not all
    there yet."""
    def made():
        now = bench.machine.api.change(change)
        task = delta_task(now)
        check(now["state"] == "running" and task["state"] in ("pending", "running"),
              f"the delta is all there, and {least} bytes are not made: {now}")
        is_partly_there = task["done_bytes"] < task["total_bytes"]
        return now if is_partly_there and now["bytes"]["delta"] >= least else None
    return wait_until(made, PATIENCE_S, f"{least} bytes are made")


def staged_says(bench):
    """What the daemon's log says last of a stage: bytes by delta, of them found, written."""
    log = (bench.scope.path / "machine.log").read_text(errors="replace")
    said = re.findall(r"staged: \d+ bytes reused, (\d+) by delta \((\d+) of them found\), (\d+) "
                      r"written", log)
    check(said, "no stage in the log")
    return tuple(int(number) for number in said[-1])


def a_delta_is_applied_as_it_arrives():
    """From a slow edge: most new bytes are made before the delta is whole. Killed then, what was
    made is neither made nor written again, and what was fetched is not fetched again."""
    with Scope("delta-arrives") as scope:
        bench = Bench(scope, 16)
        bench.installed()
        publish_large_delta(bench)
        planned = plan(bench)
        check(way(bench) == "delta" and planned["delta_bytes"] > 10e6, f"{planned}")
        snapshot = Snapshot(bench.machine)
        for killed in (False, True):
            snapshot.restore()
            bench.edge.rate_bytes_per_s = SLOW_BYTES_PER_S
            bench.edge.forget_counts()
            change = bench.start("update")
            half = made_while_it_arrives(bench, change, planned["delta_bytes"] // 2)
            task = delta_task(half)
            print(f"  {half['bytes']['delta']} of {planned['delta_bytes']} bytes made with "
                  f"{task['done_bytes']} of {task['total_bytes']} bytes of the delta", flush=True)
            if killed:
                bench.machine.process.kill()
                fetched = bench.edge.bundle_bytes()
                bench.machine.start().wait_ready()
            else:
                wait_until(lambda: is_fetched(bench, change), PATIENCE_S, "the delta is fetched",
                           interval=0.01)
                arrived = time.monotonic()
            done = bench.machine.wait_change(change, PATIENCE_S)
            bench.machine.check_tree(bench.source["2"])
            check(done["bytes"]["delta"] == planned["delta_bytes"] and not notes(done), f"{done}")
            by_delta, found, written = staged_says(bench)
            if not killed:
                check(found == 0, f"{found}")
                print(f"  done {time.monotonic() - arrived:.2f} s after the last byte; "
                      f"{done['seconds']:.1f} s in all", flush=True)
                continue
            again = bench.edge.bundle_bytes() - fetched
            print(f"  killed; of {by_delta} bytes {found} were found and {written} written; edge "
                  f"{fetched} + {again} of {planned['edge_bytes']} bytes", flush=True)
            check(found >= half["bytes"]["delta"] - HALF_MADE_BYTES, f"{found} bytes found")
            check(written <= by_delta - found, f"{written} bytes written, {found} found")
            check(fetched + again <= planned["edge_bytes"] + IN_FLIGHT_BYTES, f"{fetched}, {again}")


def tracked(bench):
    """What is published from now on has a tracker."""
    tracker = f"{bench.scope.address(254)}:6969"
    bench.scope.start([program("shoal-tracker"), "--listen", tracker, "--open"], "tracker.log")
    bench.repository.trackers = [f"http://{tracker}/announce"]


def kept_files(machine):
    return [path for path in (machine.library / ".shoal/kept").rglob("*") if path.is_file()]


def a_delta_is_given_to_those_who_come_later():
    """One machine updates from the edge. The next has the delta from it, when its update is long
    done; and one more from that one, which has been restarted, when the first is gone."""
    with Scope("delta-kept") as scope:
        bench = Bench(scope)
        tracked(bench)
        bench.installed(consent="granted")
        others = [Machine(scope, f"other{i}", scope.address(i)).start() for i in (2, 3)]
        for other in others:
            other.wait_ready().add_repository(bench.edge.url, bench.repository.root())
            other.wait_change(other.api.start("install", PRODUCT), PATIENCE_S)
        publish_2(bench)
        updated(bench)
        bench.edge.stall = "/bundles/"
        giver = bench.machine
        for other in others:
            wait_until(lambda: giver.api.installs()[0]["kept_delta_bytes"] > 0, 20, "it is kept")
            [kept] = kept_files(giver)
            size = kept.stat().st_size
            change = other.wait_change(other.api.start("update", PRODUCT), PATIENCE_S)
            other.check_tree(bench.source["2"])
            counts = change["bytes"]
            check(not notes(change) and counts["delta"] > 0, f"{change}")
            check(counts["edge"] == 0 and counts["peers"] >= size, f"{size}: {counts}")
            giver.process.stop()
            giver = other
            giver.process.stop()
            giver.start().wait_ready()
        giver.wait_change(giver.api.start("uninstall", PRODUCT), PATIENCE_S)
        check(not kept_files(giver), f"left: {kept_files(giver)}")


def a_kill_at_the_commit_leaves_the_delta_where_it_is_found():
    """Killed between keeping the delta and the commit point, and right after that. A change that is
    cancelled then leaves nothing."""
    with Scope("delta-kept-kill") as scope:
        bench = Bench(scope)
        bench.installed(consent="granted")
        publish_2(bench)
        snapshot = Snapshot(bench.machine)

        def killed_at(step):
            snapshot.restore()
            bench.machine.process.stop()
            bench.machine.start({"SHOAL_TEST_KILL_AT": step}).wait_ready()
            change = bench.start("update")
            wait_until(lambda: not bench.machine.process.running(), PATIENCE_S, f"killed at {step}")
            return change

        for step in ("commit.keep", "commit.before", "commit.point", "commit.finish"):
            killed_at(step)
            bench.edge.forget_counts()
            bench.machine.start().wait_ready()
            change = bench.machine.api.changes()[0]["id"]
            bench.machine.wait_change(change, PATIENCE_S)
            bench.machine.check_tree(bench.source["2"])
            check(bench.edge.bundle_bytes() == 0, f"{step}: fetched again")
            wait_until(lambda: bench.machine.api.installs()[0]["kept_delta_bytes"] > 0, 20,
                       f"{step}: it is offered")
            left = [path for path in (bench.machine.library / ".shoal").rglob("*")
                    if path.is_file()]
            check(left == kept_files(bench.machine) and len(left) == 1, f"{step}: {left}")

        change = killed_at("commit.before")
        check(len(kept_files(bench.machine)) == 1, "it has been moved")
        bench.edge.refuse = True  # so that the change waits, and can be cancelled
        bench.machine.start().wait_ready()
        bench.machine.wait_change(change, PATIENCE_S, ("waiting",))
        bench.cancel(change)
        check(not kept_files(bench.machine), f"left: {kept_files(bench.machine)}")
        bench.machine.check_tree(bench.source["1"])


def what_a_delta_made_is_seeded():
    """After the update the machine gives the new version, all of it, to one that has nothing."""
    with Scope("delta-seeds") as scope:
        bench = Bench(scope)
        tracked(bench)
        bench.installed()
        publish_2(bench)
        bench.machine.api.call("PATCH", "/config", {"consent": "granted"})
        done = updated(bench)
        check(done["bytes"]["delta"] > 0, f"{done['bytes']}")
        wait_until(lambda: bench.machine.api.installs()[0]["seeding"], 20, "it seeds")
        bench.edge.status_for = {"/bundles/": 404}
        other = Machine(scope, "other", scope.address(2)).start().wait_ready()
        other.add_repository(bench.edge.url, bench.repository.root())
        done = other.wait_change(other.api.start("install", PRODUCT), PATIENCE_S)
        other.check_tree(bench.source["2"])
        check(done["bytes"]["edge"] == 0 and done["bytes"]["peers"] > 0, f"{done['bytes']}")


SCENARIOS = [an_update_by_delta, a_file_that_changed_costs_its_own,
             a_delta_that_cannot_be_had_is_done_without, an_edge_that_is_away_is_waited_for,
             a_delta_from_another_version_is_not_used, a_kill_in_the_middle_costs_nothing_twice,
             a_delta_is_applied_as_it_arrives, what_a_delta_made_is_seeded,
             a_delta_is_given_to_those_who_come_later,
             a_kill_at_the_commit_leaves_the_delta_where_it_is_found]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
