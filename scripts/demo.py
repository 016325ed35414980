#!/usr/bin/env python3
"""The acting part of scripts/demo, which builds the programs first."""

import os
import shutil
import signal
import stat
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from harness import trees  # noqa: E402
from harness.api import ENDED  # noqa: E402
from harness.run import Failed, Scope, check, program, run  # noqa: E402
from harness.world import Machine, Repository, print_table  # noqa: E402

PRODUCT = "sample"
EDGE = "127.0.0.10:8088"
TRACKER = "127.0.0.10:6969"
MACHINES = {"machine-1": "127.0.0.11", "machine-2": "127.0.0.12", "machine-3": "127.0.0.13"}
PEER_PORT = 16881
SAMPLE_BYTES = 160_000_000
# What each machine may fetch and give per second: as fast as a good line, so that there is
# something to see. Without limits the machine's own disk is what one would measure.
LINE_BYTES_PER_S = 12_000_000
PATIENCE_S = 280


def copy_files(source, target, room):
    """Copies files of the folder, in the order of their names, until `room` bytes are full."""
    for folder, folders, files in os.walk(source):
        folders.sort()
        for name in sorted(files):
            file = Path(folder) / name
            if room <= 0:
                return
            status = file.lstat()
            readable = stat.S_ISREG(status.st_mode) and os.access(file, os.R_OK)
            if not readable or status.st_size > SAMPLE_BYTES // 8:
                continue
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
            room -= status.st_size


def sample_trees(folder):
    """Two versions made of real files: libraries, locale data, documents; about 160 MB."""
    old, new = folder / "sample-1", folder / "sample-2"
    old.mkdir()
    for source, name, room in [("/usr/lib/x86_64-linux-gnu", "lib", SAMPLE_BYTES * 6 // 8),
                               ("/usr/lib/python3", "python", SAMPLE_BYTES // 16),
                               ("/usr/share", "share", SAMPLE_BYTES * 3 // 16)]:
        copy_files(Path(source), old / name, room)
    (old / "saves").mkdir()
    shutil.copytree(old, new, symlinks=True)

    # What a real update does: a folder renamed, files edited in the middle, some gone, some new.
    (new / "share").rename(new / "shared-data")
    files = sorted((f for f in (new / "lib").rglob("*") if f.is_file()),
                   key=lambda f: f.stat().st_size, reverse=True)
    for i, file in enumerate(files[:6]):
        data = bytearray(file.read_bytes())
        middle = len(data) // 2
        data[middle:middle] = bytes((i * 37 + k * k) % 256 for k in range(50_000))
        file.write_bytes(data)
    for file in files[10:14]:
        file.unlink()
    merged = b"".join(f.read_bytes() for f in files[20:26])
    (new / "lib" / "merged.bin").write_bytes(merged)
    copy_files(Path("/usr/lib/gcc"), new / "new", SAMPLE_BYTES // 8)
    return old, new


def line(machine, change):
    counts = change["bytes"]
    share = counts["fetched"] / counts["total"] if counts["total"] else 0.0
    if change["state"] == "done":
        share = 1.0
    bar = ("#" * round(share * 24)).ljust(24, ".")
    return (f"  {machine.name}  [{bar}] {share:4.0%}  "
            f"edge {counts['edge'] / 1e6:6.1f} MB {change['edge_bytes_per_s'] / 1e6:5.1f} MB/s   "
            f"peers {counts['peers'] / 1e6:6.1f} MB {change['peers_bytes_per_s'] / 1e6:5.1f} MB/s  "
            f"{change['state']}")


def follow(running):
    """Draws one line per machine until all changes have ended; returns [(name, change)]."""
    terminal = sys.stdout.isatty()
    deadline = time.monotonic() + PATIENCE_S
    last = 0.0
    drawn = False
    while True:
        changes = [(m, m.api.change(c)) for m, c in running]
        ended = all(change["state"] in ENDED for _, change in changes)
        now = time.monotonic()
        if ended or now - last > (0.25 if terminal else 2.0):
            last = now
            if terminal and drawn:
                print(f"\x1b[{len(changes)}A", end="")
            for machine, change in changes:
                print(line(machine, change) + ("\x1b[K" if terminal else ""))
            if not terminal and not ended:
                print("  --")
            sys.stdout.flush()
            drawn = True
        if ended:
            break
        check(now < deadline, f"not done within {PATIENCE_S} s")
        time.sleep(0.1)
    for machine, change in changes:
        check(change["state"] == "done",
              f"{machine.name}: {change['state']}: {(change.get('error') or {}).get('message')}")
    return [(machine.name, change) for machine, change in changes]


def say(text):
    print(f"\n\x1b[1m{text}\x1b[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def publish(repository, tree, version):
    started = time.monotonic()
    before = repository.bundle_bytes()
    repository.release(tree, version, product=PRODUCT, more=["--allow-outside-links"])
    seconds = time.monotonic() - started
    size = trees.total_bytes(tree)
    print(f"  version {version}: {size / 1e6:.1f} MB in {seconds:.1f} s, "
          f"{(repository.bundle_bytes() - before) / 1e6:.1f} MB of new bundles")


def demo(scope, old, new):
    if old is None:
        say("Making a sample tree of this machine's own files, and a second version of it")
        old, new = sample_trees(scope.path)
    say(f"Publishing {old.name}, signed (shoal-publish), edge at {EDGE}, tracker at {TRACKER}")
    repository = Repository(scope, [f"http://{TRACKER}/announce"])
    publish(repository, old, "1.0")
    scope.start([program("shoal-publish"), "serve", str(repository.path), "--listen", EDGE],
                "serve.log")
    scope.start([program("shoal-tracker"), "--listen", TRACKER, "--open"], "tracker.log")

    say("Starting three machines (shoald)")
    machines = [Machine(scope, name, address, PEER_PORT,
                        options=["--upload-limit", LINE_BYTES_PER_S,
                                 "--download-limit", LINE_BYTES_PER_S])
                for name, address in MACHINES.items()]
    for machine in machines:
        machine.start()
    root = scope.path / "repository/metadata/1.root.json"
    for machine in machines:
        machine.wait_ready()
        run([program("shoal"), "--socket", machine.socket, "repo", "add", f"http://{EDGE}",
             "--root", root])
        print(f"  {machine.name} at {MACHINES[machine.name]}: shoal repo add http://{EDGE} "
              "--root 1.root.json")

    rows = []
    say(f"Installing {PRODUCT} 1.0 on all three at once")
    rows += follow([(m, m.api.start("install", PRODUCT)) for m in machines])
    for machine in machines:
        machine.check_tree(old, PRODUCT)
    say("Publishing 2.0 and updating all three at once")
    publish(repository, new, "2.0")
    rows += follow([(m, m.api.start("update", PRODUCT)) for m in machines])
    say("Verifying (shoal verify), and comparing with the source")
    for machine in machines:
        run([program("shoal"), "--socket", machine.socket, "verify", PRODUCT])
        machine.check_tree(new, PRODUCT)
        print(f"  {machine.name}: every byte, executable bit and link as published")
    say("What came from where")
    print_table(rows)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chosen = [Path(p) for p in sys.argv[1:]] or [None, None]
    try:
        with Scope("demo") as scope:
            started = time.monotonic()
            demo(scope, *chosen)
            print(f"\n{time.monotonic() - started:.0f} seconds, nothing left running")
    except Failed as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
