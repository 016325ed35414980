#!/usr/bin/env python3
"""Everything that can be wrong with what the edge serves: damaged, cut off, endless, slow, expired
or older files. Each ends with a clear error of a stable kind, loses nothing, and all is well again
once the fault is gone.

    published_files.py [--list] [SCENARIO]...
"""

import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness.api import ApiError  # noqa: E402
from harness.bench import PATIENCE_S, Bench, Snapshot, outcome  # noqa: E402
from harness.run import Scope, check, needs_program, program, run, run_scenarios  # noqa: E402
from harness.world import PRODUCT  # noqa: E402

SIGNED = ("metadata_invalid", "signature_invalid", "verification_failed", "too_large")
OF_A_PRODUCT = ("demo.json", "channels.json", "release.json")


def _damaged(original, fault):
    middle = len(original) // 2
    if fault == "truncated":
        return original[:middle]
    return original[:middle] + bytes([original[middle] ^ 1]) + original[middle + 1:]


def _kind_of_file(name):
    """targets/demo/1/<hash>.base.torrent -> base.torrent, metadata/3.demo.json -> demo.json …"""
    return "bundle" if name.startswith("bundles/") else re.sub(r"^(\d+|[0-9a-f]{64})\.", "",
                                                               Path(name).name)


def _damage_each(bench, snapshot, kind, version):
    """Damages one published file at a time; returns the kinds of file that the client asked for.
    `version` is what is installed, and has to stay."""
    machine, noticed = bench.machine, set()
    files = [f for f in sorted(bench.repository.path.rglob("*"))
             if f.is_file() and f.stat().st_size > 0 and not f.name.startswith(".")]
    for file in files:
        name = str(file.relative_to(bench.repository.path))
        original = file.read_bytes()
        for fault in ("flipped", "truncated"):
            file.write_bytes(_damaged(original, fault))
            snapshot.restore()
            bench.edge.requested.clear()
            found, state = outcome(machine, kind)
            if f"/{name}" in bench.edge.requested:
                noticed.add(_kind_of_file(name))
                check(found in SIGNED or state == "waiting", f"{name} {fault}: {state} {found}")
                bench.check_untouched(version)
            else:  # an older version of something: nobody asks for it any more
                check(state == "done", f"{name} {fault}, which nobody asked for: {state} {found}")
                break  # how it is damaged makes no difference then
        file.write_bytes(original)
    print(f"  {kind}: {len(files)} files damaged in two ways; noticed: {' '.join(sorted(noticed))}")
    return noticed


# What is asked for in both: an update needs the recipes too.
IN_BOTH = {"timestamp.json", "snapshot.json", "demo.json", "channels.json", "release.json",
           "base.torrent", "base.index", "bundle"}


def _damaged_files(kind, before, version, wanted):
    """A flipped byte in, or the end cut off, any published file: refused, and what was installed
    before (`version`) stays."""
    with Scope(f"damaged-{kind}") as scope:
        bench = Bench(scope, 4)
        # The machine is stopped before there is news: it looks for some by itself.
        snapshot = Snapshot(before(bench))
        bench.publish_2()
        noticed = _damage_each(bench, snapshot, kind, version)
        check(noticed >= wanted, f"not asked for: {wanted - noticed}")


def damaged_files_during_an_install():
    """A flipped byte in, or the end cut off, any published file: refused, nothing installed."""
    _damaged_files("install", Bench.known, "", IN_BOTH)


def damaged_files_during_an_update():
    """The same in an update: the old version stays whole."""
    _damaged_files("update", Bench.installed, "1", IN_BOTH | {"base.recipes"})


def damaged_files_when_a_repository_is_added():
    """The same when a repository is added: refused; a damaged product is refused alone."""
    with Scope("damaged-add") as scope:
        bench = Bench(scope, 1)
        snapshot = Snapshot(bench.client())
        root, noticed = bench.repository.root(), set()
        for file in sorted(bench.repository.path.rglob("*.json")):
            name, what = str(file.relative_to(bench.repository.path)), _kind_of_file(file.name)
            original = file.read_bytes()
            for fault in ("flipped", "truncated"):
                file.write_bytes(_damaged(original, fault))
                snapshot.restore()
                bench.edge.requested.clear()
                try:
                    added = bench.machine.api.add_repository(bench.edge.url, root)
                    found = outcome(bench.machine, "install")[0] if what in OF_A_PRODUCT else ""
                    told = [p["error"]["kind"] for p in added["problems"]]
                    check(told == ([found] if found and what != "release.json" else []),
                          f"{name} {fault}: '{found}', but told when it was added: {told}")
                except ApiError as error:
                    found = error.kind
                    check(error.body["message"] and error.body["remedy"], f"{error}")
                    check(what not in OF_A_PRODUCT, f"{name} {fault}: {error}")
                asked_for = f"/{name}" in bench.edge.requested
                check((found in SIGNED) == asked_for, f"{name} {fault}: '{found}', {asked_for}")
                noticed |= {what} if asked_for else set()
            file.write_bytes(original)
        print(f"  noticed: {' '.join(sorted(noticed))}")
        wanted = {"timestamp.json", "snapshot.json", "targets.json", "repository.json",
                  *OF_A_PRODUCT}
        check(noticed >= wanted, f"not asked for: {wanted - noticed}")


def bundles_that_lie():
    """Wrong bytes, wrong places, endless or short bodies of bundles: never installed."""
    with Scope("bundles") as scope:
        bench = Bench(scope)
        machine = bench.installed()
        bench.publish_2()
        for fault in ("corrupt", "wrong_range", "truncate", "endless", "stall"):
            setattr(bench.edge, fault, "/bundles/")
            print(f"  {fault}")
            found, state = outcome(machine, "update")
            wrong_bytes = fault in ("corrupt", "wrong_range", "endless")
            check(found == "verification_failed" if wrong_bytes else state == "waiting",
                  f"{fault}: {state} {found}")
            bench.check_untouched("1")
            if state == "waiting":
                bench.cancel(machine.api.changes()[0]["id"])
                machine.process.stop()  # that the mirror is left alone for a while is forgotten
                machine.start().wait_ready()
            setattr(bench.edge, fault, None)
        bench.edge.ignore_ranges = "/bundles/"  # waits, says why, and goes on by itself
        change = bench.waits("update", "ranges")
        bench.edge.ignore_ranges = None
        machine.wait_change(change, PATIENCE_S)
        machine.check_tree(bench.source["2"])


def metadata_without_end():
    """An endless timestamp, snapshot or target: the limit stops it."""
    with Scope("endless") as scope:
        bench = Bench(scope)
        bench.installed()
        bench.publish_2_unseen()
        for pattern in ("timestamp.json", "snapshot.json", "/targets/"):
            bench.edge.endless = pattern
            bench.fails("update", SIGNED)
        bench.edge.endless = None
        bench.succeeds("update", "2")


def metadata_that_never_comes():
    """A server that falls silent after the header: broken off after some seconds, by its kind."""
    with Scope("slow") as scope:
        bench = Bench(scope, 1)
        bench.installed()
        bench.publish_2_unseen()
        bench.edge.stall = "timestamp.json"
        bench.fails("update", ("network_timeout",))
        bench.edge.stall = "/targets/"
        bench.fails("update", ("network_timeout",))
        bench.edge.stall = None
        bench.succeeds("update", "2")


def expired_metadata():
    """A repository that nobody refreshed: metadata_expired, and refresh heals it."""
    needs_program("faketime")
    with Scope("expired") as scope:
        bench = Bench(scope)
        refresh = [program("shoal-publish"), "refresh", bench.repository.path, "--keys",
                   bench.repository.keys]

        def expire():
            run(["faketime", "-f", "-400d", *refresh],
                environment={"ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"})

        bench.client()
        expire()
        try:
            bench.machine.add_repository(bench.edge.url, bench.repository.root())
            check(False, "an expired repository was accepted")
        except ApiError as error:
            check(error.kind == "metadata_expired", f"{error.kind}, not metadata_expired")
        run(refresh)
        bench.machine.add_repository(bench.edge.url, bench.repository.root())
        bench.succeeds("install", "1")
        bench.publish_2()
        expire()
        bench.fails("update", ("metadata_expired",))
        run(refresh)
        bench.succeeds("update", "2")


def older_repository():
    """The mirror goes back to yesterday's files: metadata_rollback, the install stays."""
    with Scope("rollback") as scope:
        bench = Bench(scope)
        yesterday = scope.path / "yesterday"
        shutil.copytree(bench.repository.path, yesterday)
        bench.installed()
        bench.publish_2()
        bench.succeeds("update", "2")
        bench.edge.folder = yesterday
        bench.fails("update", ("metadata_rollback",))
        bench.edge.folder = bench.repository.path
        bench.machine.process.stop()
        bench.machine.start().wait_ready()
        bench.edge.folder = yesterday  # what was trusted is remembered across a restart
        bench.fails("update", ("metadata_rollback",))
        bench.edge.folder = bench.repository.path


SCENARIOS = [damaged_files_during_an_install, damaged_files_during_an_update,
             damaged_files_when_a_repository_is_added, bundles_that_lie, metadata_without_end,
             metadata_that_never_comes, expired_metadata, older_repository]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
