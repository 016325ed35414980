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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness.bench import PATIENCE_S, Bench, Snapshot  # noqa: E402
from harness.run import Scope, check, program, run, run_scenarios, wait_until  # noqa: E402
from harness.world import PRODUCT  # noqa: E402

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


SCENARIOS = [an_update_by_delta]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
