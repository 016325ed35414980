#!/usr/bin/env python3
"""Libraries on small real file systems: full from the start, full in the middle, read-only. The
kind says so, the old version stays whole, and once the fault is gone the same command goes through.

    disks.py [--list] [SCENARIO]...

The file systems are ext4 in files, mounted through loop devices, which needs root.
"""

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.bench import PATIENCE_S, Bench  # noqa: E402
from harness.run import (Scope, Skipped, check, needs_program, needs_root,  # noqa: E402
                         run_scenarios, wait_until)

KEEP_FREE_BYTES = 1 << 20


class Disk:
    """A small ext4 of its own."""

    def __init__(self, scope, megabytes):
        needs_root("mount a small file system")
        needs_program("mkfs.ext4")
        self.folder = scope.path / "disk"
        self.folder.mkdir()
        image = scope.path / "disk.img"
        with open(image, "wb") as file:
            file.truncate(megabytes << 20)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", image, self.folder], capture_output=True,
                                 text=True, check=False)
        if mounted.returncode != 0:
            raise Skipped(f"cannot mount a loop device: {mounted.stderr.strip()}")
        scope.cleanups.append(lambda: subprocess.run(["umount", "-l", self.folder], check=False))
        self.library = self.folder / "library"
        self.library.mkdir()

    def free(self):
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def fill(self, leave=0):
        """Ballast until no more than `leave` bytes are free."""
        with open(self.folder / "ballast", "ab", buffering=0) as ballast:
            try:
                os.posix_fallocate(ballast.fileno(), 0, max(1, self.free() - leave))
                while leave == 0 and ballast.write(bytes(4096)):
                    pass
            except OSError:
                pass  # full

    def make_room(self):
        (self.folder / "ballast").unlink()

    def remount(self, mode):
        subprocess.run(["mount", "-o", f"remount,{mode}", self.folder], check=True)


def _bench_on(scope, disk, megabytes):
    bench = Bench(scope, megabytes)
    bench.known(library=disk.library)
    return bench


def full_disk():
    """Too small from the start: refused before a byte is fetched or written; then made room."""
    with Scope("full") as scope:
        disk = Disk(scope, 96)
        bench = _bench_on(scope, disk, 16)
        disk.fill(leave=10 << 20)
        bench.edge.forget_counts()
        bench.fails("install", ("disk_full",))
        check(bench.edge.bundle_bytes() == 0, "it fetched before it knew that there is no room")
        disk.make_room()
        bench.succeeds("install", "1")
        bench.publish_2()
        disk.fill(leave=KEEP_FREE_BYTES)
        bench.edge.forget_counts()
        bench.fails("update", ("disk_full",))
        check(bench.edge.bundle_bytes() == 0, "it fetched before it knew that there is no room")
        disk.make_room()
        bench.succeeds("update", "2")


def _many_small_files(path, count, seed):
    """Files too small to have their room reserved when they are made."""
    tree = trees.make_tree(path, 1, seed)
    data = os.urandom(60_000 * count)
    (tree / "many").mkdir()
    for i in range(count):
        (tree / "many" / f"{i:04}").write_bytes(data[i * 60_000:(i + 1) * 60_000])
    return tree


def disk_that_fills_up_meanwhile():
    """Others fill the disk while an update fetches: the old version stays; then it goes on."""
    with Scope("fills") as scope:
        disk = Disk(scope, 96)
        bench = _bench_on(scope, disk, 2)
        bench.succeeds("install", "1")
        bench.source["2"] = _many_small_files(scope.path / "many", 250, 7)
        bench.publish_2()
        bench.edge.forget_counts()
        bench.edge.rate_bytes_per_s = 4_000_000
        change = bench.start("update")
        wait_until(lambda: bench.machine.api.change(change)["bytes"]["fetched"] > 6_000_000,
                   PATIENCE_S, "it fetches")
        disk.fill()
        ended = bench.machine.wait_change(change, PATIENCE_S, ("failed",))
        error = ended["error"]
        print(f"  update: {error['kind']}: {error['message']} [{error['remedy']}]")
        check(error["kind"] == "disk_full" and error["message"] and error["remedy"], f"{ended}")
        bench.check_untouched("1")
        first = bench.edge.bundle_bytes()
        disk.make_room()
        bench.edge.rate_bytes_per_s = 0
        bench.succeeds("update", "2")
        second = bench.edge.bundle_bytes() - first
        print(f"  {first / 1e6:.1f} MB served before, {second / 1e6:.1f} MB after")
        check(second < trees.total_bytes(bench.source["2"]) - 4_000_000,
              "what had been fetched was fetched again")


def read_only_library():
    """A library on a read-only file system: the kind says so, before anything is fetched."""
    with Scope("readonly") as scope:
        disk = Disk(scope, 64)
        bench = _bench_on(scope, disk, 4)
        disk.remount("ro")
        bench.edge.forget_counts()
        bench.fails("install", ("read_only",))
        check(bench.edge.bundle_bytes() == 0, "it fetched for nothing")
        disk.remount("rw")
        bench.succeeds("install", "1")
        bench.publish_2()
        disk.remount("ro")
        bench.edge.forget_counts()
        for kind in ("update", "uninstall"):
            bench.fails(kind, ("read_only",))
        check(bench.edge.bundle_bytes() == 0, "it fetched for nothing")
        bench.succeeds("verify", "1")  # reading is all that takes
        disk.remount("rw")
        bench.succeeds("update", "2")


def state_on_a_full_disk():
    """No room for the daemon's own state: changes fail as disk_full, and nothing is lost."""
    with Scope("state") as scope:
        disk = Disk(scope, 32)
        bench = Bench(scope, 4)
        bench.installed(options=["--state", disk.folder / "state"])
        bench.publish_2()
        disk.fill()
        bench.fails("update", ("disk_full",))
        check(bench.machine.api.answers(), "the daemon does not answer any more")
        disk.make_room()
        bench.succeeds("update", "2")
        bench.machine.process.stop()
        bench.machine.start().wait_ready()
        bench.check_untouched("2")


SCENARIOS = [full_disk, disk_that_fills_up_meanwhile, read_only_library, state_on_a_full_disk]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
