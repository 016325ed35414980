#!/usr/bin/env python3
"""An installed tree that somebody changed: damaged bytes are found and repaired, the user's own
files are kept.

    installed_files.py [--list] [SCENARIO]...
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness.bench import PATIENCE_S, Bench  # noqa: E402
from harness.run import Scope, check, run_scenarios  # noqa: E402
from harness.world import PRODUCT  # noqa: E402

PIECE_BYTES = 1 << 20  # more than a piece of a tree as small as these


def corrupt_installed_file():
    """Verify reports it, repair fetches its pieces and no others, the wrong copy is kept aside."""
    with Scope("repair") as scope:
        bench = Bench(scope, 32)
        machine = bench.installed()
        flipped, shorter, gone = (machine.tree() / f"data/level{i}.pak" for i in (1, 2, 3))
        keep_stamp = flipped.stat()
        data = bytearray(flipped.read_bytes())
        data[100_000] ^= 1
        flipped.write_bytes(data)
        os.utime(flipped, ns=(keep_stamp.st_atime_ns, keep_stamp.st_mtime_ns))
        os.truncate(shorter, shorter.stat().st_size - 10)
        lost = gone.stat().st_size
        gone.unlink()
        change = bench.start("verify")
        told = machine.wait_change(change, PATIENCE_S, ("done", "failed"))
        notes = json.dumps(told["notes"])
        for name in ("level1", "level2", "level3"):
            check(f"data/{name}.pak" in notes, f"verify does not name {name}: {told}")
        check(told["error"]["kind"] == "verification_failed", f"{told['error']}")
        bench.edge.forget_counts()
        done = bench.succeeds("repair", "1")
        served = bench.edge.bundle_bytes()
        print(f"  repair fetched {served / 1e6:.2f} MB, of which {lost / 1e6:.2f} MB were gone; "
              f"{done['bytes']}")
        check(lost <= served <= lost + 3 * PIECE_BYTES, f"repair fetched {served}, lost {lost}")
        kept = [p for p in machine.library.rglob("*") if p.is_file() and "saved" in p.parts]
        check({p.name for p in kept} >= {"level1.pak", "level2.pak"}, f"kept aside: {kept}")
        bench.succeeds("verify", "1")


def file_that_the_user_changed():
    """An update moves the user's copy aside, names it, and keeps files that it does not know."""
    with Scope("changed") as scope:
        bench = Bench(scope)
        machine = bench.installed()
        tree = machine.tree()
        (tree / "data/level1.pak").write_text("mine")
        (tree / "saves/slot1").write_text("my save")
        (tree / "my-mod.txt").write_text("my mod")
        bench.publish_2()
        done = machine.wait_change(machine.api.start("update", PRODUCT), PATIENCE_S)
        check("data/level1.pak" in json.dumps(done["notes"]), f"not named: {done['notes']}")
        kept = [p for p in machine.library.rglob("*") if p.is_file() and p.stat().st_size == 4
                and p.read_bytes() == b"mine"]
        check(len(kept) == 1, f"the user's copy: {kept}")
        check((tree / "saves/slot1").read_text() == "my save", "the save is gone")
        check((tree / "my-mod.txt").read_text() == "my mod", "the unknown file is gone")
        (tree / "saves/slot1").unlink()
        (tree / "saves").rmdir()
        (tree / "my-mod.txt").unlink()
        machine.check_tree(bench.source["2"])



SCENARIOS = [corrupt_installed_file, file_that_the_user_changed]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
