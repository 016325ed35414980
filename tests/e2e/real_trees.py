#!/usr/bin/env python3
"""Installs and updates trees that nobody made for a test, from Debian's archive: two versions of
LibreOffice's core (a link to outside, empty folders) and of the kernel's modules (4,000 files, all
of them renamed; names that differ only in case). The installed tree has to equal its source.

    real_trees.py [libreoffice|kernel]...

Needs apt; the packages are kept in build/real-trees. Two machines on loopback addresses.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.run import ROOT, Failed, Scope, check, program, run  # noqa: E402
from harness.world import PRODUCT, Machine, Repository, print_table  # noqa: E402

CACHE = ROOT / "build" / "real-trees"
PATIENCE_S = 900


def unpacked(package, version):
    """The folder with the package's files, downloaded if need be."""
    folder = CACHE / f"{package}_{version.replace(':', '%3a')}"
    if not folder.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        subprocess.run(["apt-get", "download", "-q", f"{package}={version}"], cwd=CACHE, check=True)
        [deb] = CACHE.glob(f"{package}_*.deb")
        partial = folder.with_suffix(".partial")
        subprocess.run(["dpkg-deb", "-x", deb, partial], check=True)
        deb.unlink()
        partial.rename(folder)
    return folder


def offered(package):
    """Versions that apt offers, oldest first."""
    out, _ = run(["apt-cache", "madison", package])
    versions = {line.split("|")[1].strip() for line in out.splitlines()
                if not line.endswith(" Sources")}

    def older_first(version):
        return [int(n) for n in re.findall(r"\d+", version)]
    return sorted(versions, key=older_first)


def libreoffice():
    versions = offered("libreoffice-core")
    if len(versions) < 2:
        print(f"apt offers only {versions}: taking libreoffice-common as the second tree")
        other = offered("libreoffice-common")
        return unpacked("libreoffice-core", versions[-1]), unpacked("libreoffice-common", other[-1])
    return tuple(unpacked("libreoffice-core", v) for v in versions[-2:])


def kernel():
    out, _ = run(["apt-cache", "pkgnames", "linux-image-"])
    packages = [p for p in out.split() if re.fullmatch(r"linux-image-[\d.]+-\d+-amd64", p)
                or re.fullmatch(r"linux-image-[\d.]+\+deb\d+-amd64", p)]
    series = {}
    for package in packages:
        numbers = [int(n) for n in re.findall(r"\d+", package)]
        series.setdefault(tuple(numbers[1:3]), []).append((numbers, package))
    pairs = [sorted(group)[-2:] for group in series.values() if len(group) >= 2]
    check(pairs, f"apt offers no two versions of one kernel: {packages}")
    return tuple(unpacked(name, offered(name)[-1]) for _, name in sorted(pairs)[0])


def install_and_update(name, old, new):
    """Publishes both, installs and updates on two machines, compares."""
    with Scope(name) as scope:
        tracker, edge = f"{scope.address(1)}:6969", f"{scope.address(1)}:8080"
        scope.start([program("shoal-tracker"), "--listen", tracker, "--open"], "tracker.log")
        repository = Repository(scope, [f"http://{tracker}/announce"])
        machines = [Machine(scope, f"m{i}", scope.address(1 + i)).start() for i in (1, 2)]
        scope.start([program("shoal-publish"), "serve", str(repository.path), "--listen", edge],
                    "serve.log")
        for version, tree in (("1", old), ("2", new)):
            started = time.monotonic()
            delta = ["--delta-from", "1"] if version == "2" else []
            repository.release(tree, version, more=["--allow-outside-links", *delta])
            seconds = time.monotonic() - started
            size = trees.total_bytes(tree)
            print(f"{name} {version}: {size / 1e6:.0f} MB, {len(trees.describe(tree))} entries, "
                  f"published in {seconds:.1f} s ({size / 1e6 / seconds:.0f} MB/s)", flush=True)
            if version == "1":
                for machine in machines:
                    machine.wait_ready()
                    machine.add_repository(f"http://{edge}", repository.root())
            else:
                out, _ = run([program("shoal"), "--socket", machines[0].socket, "plan", "update",
                              PRODUCT])
                print(out, flush=True)
            kind = "install" if version == "1" else "update"
            running = [(m, m.api.start(kind, PRODUCT)) for m in machines]
            rows = [(m.name, m.wait_change(c, PATIENCE_S)) for m, c in running]
            for machine in machines:
                machine.check_tree(tree)
            print_table(rows)
        for machine in machines:
            machine.wait_change(machine.api.start("verify", PRODUCT), PATIENCE_S)


def main():
    wanted = sys.argv[1:] or ["libreoffice", "kernel"]
    sources = {"libreoffice": libreoffice, "kernel": kernel}
    try:
        for name in wanted:
            check(name in sources, f"there is no tree '{name}': {', '.join(sources)}")
            old, new = sources[name]()
            print(f"=== {name}: {old.name} -> {new.name}", flush=True)
            install_and_update(name, old, new)
    except Failed as error:
        print(f"FAILED: {error}")
        return 1
    print("all trees equal their sources")
    return 0


if __name__ == "__main__":
    sys.exit(main())
