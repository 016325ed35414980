#!/usr/bin/env python3
"""Deltas, alone and in a release, through the real program: what is made is the new tree, and what
goes wrong leaves no folder that could be taken for one.

    tree_deltas.py [--list] [SCENARIO]...
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.bench import Bench  # noqa: E402
from harness.run import Scope, check, program, run, run_scenarios, wait_until  # noqa: E402
from harness.world import PRODUCT  # noqa: E402


def publish(*arguments, expect=0):
    out, err = run([program("shoal-publish"), *arguments], expect=expect)
    return out, err


def two_trees(scope, megabytes):
    old = trees.make_tree(scope.path / "old", megabytes)
    return old, trees.edit_tree(old, scope.path / "new")


def a_delta_makes_the_new_tree():
    """Statistics add up, the trees are equal, a memory limit gives several groups and the same."""
    with Scope("tree-delta") as scope:
        old, new = two_trees(scope, 16)
        for memory in ("2GB", "32MiB"):
            delta, out = scope.path / f"{memory}.delta", scope.path / f"out-{memory}"
            text, _ = publish("delta", old, new, "-o", delta, "--memory", memory, "--json")
            report = json.loads(text)
            check(report["delta_bytes"] == delta.stat().st_size, "the size is that of the file")
            check(report["delta_bytes"] < report["new_tree"]["bytes"] / 4, f"large: {report}")
            kinds = report["made_bytes_by_kind"]
            check(sum(kinds.values()) == report["new_tree"]["made_bytes"], f"{kinds}")
            check((report["groups"] > 1) == (memory != "2GB"), f"{report['groups']} groups")
            costs = [file["delta_bytes"] for file in report["files"]]
            check(costs == sorted(costs, reverse=True), "the most expensive first")
            publish("delta-apply", old, delta, out)
            difference = trees.differences(new, out)
            check(not difference, f"{memory}: {difference}")


def a_wrong_tree_or_delta_leaves_nothing():
    """Another old tree, a damaged delta, a place that is taken: an error, and no folder."""
    with Scope("tree-delta-wrong") as scope:
        old, new = two_trees(scope, 2)
        delta, out = scope.path / "delta", scope.path / "out"
        publish("delta", old, new, "-o", delta)
        before = sorted(os.listdir(scope.path))

        def refused(kind, *arguments):
            _, err = publish("delta-apply", *arguments, "--json", expect=1)
            error = json.loads(err)["error"]
            check(error["kind"] == kind and error["remedy"], f"{kind}: {error}")
            check(sorted(os.listdir(scope.path)) == before, f"{os.listdir(scope.path)}")

        refused("conflict", new, delta, out)
        refused("conflict", old, delta, new)
        refused("metadata_invalid", old, old / "bin/game", out)
        data = bytearray(delta.read_bytes())
        data[-100] ^= 1
        delta.write_bytes(data)
        _, err = publish("delta-apply", old, delta, out, "--json", expect=1)
        check(sorted(os.listdir(scope.path)) == before, f"{os.listdir(scope.path)}: {err}")
        publish("delta", old, new, "-o", delta, "--memory", "lots", expect=2)


def a_killed_apply_leaves_no_tree():
    """Killed, it leaves a folder that is named as unfinished, and the next one succeeds;
    interrupted, it leaves nothing."""
    with Scope("tree-delta-kill") as scope:
        old, new = two_trees(scope, 24)
        delta, out = scope.path / "delta", scope.path / "out"
        publish("delta", old, new, "-o", delta)
        arguments = [program("shoal-publish"), "delta-apply", str(old), str(delta), str(out)]

        def partial():
            return list(scope.path.glob("out.partial.*"))

        for how in (signal.SIGTERM, signal.SIGKILL):
            process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            try:
                wait_until(lambda: partial() or process.poll() is not None, 120, "it begins",
                           interval=0.001)
                process.send_signal(how)
            finally:
                code = process.wait(120)
            if code == 0:  # it was faster than the signal
                check(not trees.differences(new, out), "a whole tree")
                shutil.rmtree(out)
                continue
            check(not out.exists(), f"no tree after {how.name}")
            check(how == signal.SIGKILL or (code == 130 and not partial()), f"{code} {partial()}")
        publish("delta-apply", old, delta, out)
        check(not trees.differences(new, out), "a whole tree")


def a_release_with_deltas():
    """The publisher makes, lists and checks a delta, and a client updates."""
    with Scope("release-delta") as scope:
        bench = Bench(scope, 2)
        bench.installed()
        # A byte in every 4 KiB: no chunk survives, and a delta is small.
        level = bench.source["2"] / "data/level1.pak"
        data = bytearray((bench.source["1"] / "data/level1.pak").read_bytes())
        data[::4096] = bytes(byte ^ 1 for byte in data[::4096])
        shutil.rmtree(bench.source["2"])
        shutil.copytree(bench.source["1"], bench.source["2"], symlinks=True)
        level.write_bytes(data)
        bench.repository.release(bench.source["2"], "2",
                                 more=("--delta-from", "last:1", "--memory", "500MB"))
        listed = json.loads(publish("list", bench.repository.path, "--json")[0])
        deltas = listed["products"][0]["releases"][1]["deltas"]
        check([delta["from"] for delta in deltas] == ["1"], f"{deltas}")
        text, _ = publish("check", bench.repository.path, "--apply-deltas", "--json")
        report = json.loads(text)
        check(report["good"] and report["deltas"] == 1 and not report["notes"], f"{report}")
        bench.succeeds("update", "2")
        publish("release", bench.repository.path, bench.source["1"], "--product", PRODUCT,
                "--version", "3", "--keys", bench.repository.keys, "--delta-from", "0", expect=1)


SCENARIOS = [a_delta_makes_the_new_tree, a_wrong_tree_or_delta_leaves_nothing,
             a_killed_apply_leaves_no_tree, a_release_with_deltas]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
