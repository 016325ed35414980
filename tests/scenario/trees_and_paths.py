#!/usr/bin/env python3
"""Trees that must not be published, and release manifests that no publisher of ours would sign:
the publisher refuses the first by name, the client the second, and nothing is left behind.

    trees_and_paths.py [--list] [SCENARIO]...
"""

import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness.bench import Bench, Snapshot  # noqa: E402
from harness.forge import Forger  # noqa: E402
from harness.run import (Scope, check, needs_program, needs_root, program, run,  # noqa: E402
                         run_scenarios)
from harness.world import PRODUCT, Repository  # noqa: E402


class Publisher:
    """A repository to which release after release is refused."""

    def __init__(self, scope):
        self.scope = scope
        self.repository = Repository(scope)
        self.before = self.files()

    def files(self):
        """But for the bundles, which may stay until the next run cleans up."""
        return sorted(p for p in self.repository.path.rglob("*")
                      if p.is_file() and "bundles" not in p.parts)

    def tree(self, name, make):
        tree = self.scope.path / f"tree-{name}"
        tree.mkdir()
        (tree / "fine").write_text("fine")
        make(tree)
        return tree

    def release(self, name, make, expect, *more):
        return "".join(run([program("shoal-publish"), "release", self.repository.path,
                            self.tree(name, make), "--product", PRODUCT, "--version", name,
                            "--keys", self.repository.keys, *more], expect=expect))

    def refuses(self, name, kind, make, word, *more):
        told = self.release(name, make, 1, *more)
        print(f"  {name}: {told.strip().splitlines()[-1][:200]}")
        check(word in told and kind in told, f"{name}: no '{word}' or '{kind}' in: {told}")
        check(self.files() == self.before, f"{name}: the refused release left files")

    def is_valid(self):
        run([program("shoal-publish"), "check", self.repository.path])


def _collide(tree):
    (tree / "Readme").write_text("x")
    (tree / "README").write_text("y")


def _collide_by_folder(tree):
    for folder in ("Stra\u00dfe", "STRASSE"):  # one name by full case folding
        (tree / folder).mkdir()
        (tree / folder / "file").write_text(folder)


def trees_that_cannot_be_published():
    """A FIFO, a socket, a link to outside, no UTF-8: refused by name, nothing left behind."""
    with Scope("publish") as scope:
        publisher = Publisher(scope)
        refuses = publisher.refuses
        refuses("fifo", "unsupported_file_type", lambda t: os.mkfifo(t / "pipe"), "pipe")
        refuses("socket", "unsupported_file_type", lambda t: os.mknod(t / "sock", 0o140600), "sock")
        refuses("outside", "path_invalid", lambda t: (t / "l1").symlink_to("../../etc/x"), "l1")
        refuses("absolute", "path_invalid", lambda t: (t / "l2").symlink_to("/etc/passwd"), "l2")
        refuses("latin1", "path_invalid",
                lambda t: open(os.fsencode(t) + b"/caf\xe9", "w").close(), "caf")
        refuses("control", "path_invalid", lambda t: (t / "a\nb").write_text("x"), "control")
        refuses("twins", "path_invalid", lambda t: ((t / "caf\u00e9").write_text("x"),
                                                      (t / "cafe\u0301").write_text("y")), "caf")
        publisher.is_valid()


def devices_cannot_be_published():
    """A device in the tree is refused by name."""
    needs_root("make a device")
    with Scope("device") as scope:
        publisher = Publisher(scope)
        publisher.refuses("device", "unsupported_file_type",
                          lambda t: os.mknod(t / "null", 0o20600, os.makedev(1, 3)), "null")
        publisher.is_valid()


def names_that_differ_only_in_case():
    """Refused for a release marked for Windows or macOS, published with a warning otherwise."""
    with Scope("case") as scope:
        publisher = Publisher(scope)
        for platform in ("windows", "macos"):
            publisher.refuses(f"{platform}-file", "path_collision", _collide, "README",
                              "--platform", "linux", "--platform", platform)
            publisher.refuses(f"{platform}-folder", "path_collision", _collide_by_folder, "STRASSE",
                              "--platform", platform)
        publisher.is_valid()
        told = publisher.release("linux", _collide, 0, "--platform", "linux")
        check("README" in told, f"no warning about the names: {told}")
        publisher.is_valid()


def _rename(path):
    def change(release):
        release["components"][0]["files"][0]["path"] = path
    return change


def _collide_in_manifest(release):
    release["platforms"] = ["windows"]
    files = release["components"][0]["files"]
    upper = {**files[0], "path": files[0]["path"].upper()}
    files[:] = sorted([*files, {k: upper[k] for k in ("path",)}], key=lambda f: f["path"])


def _twice(release):
    files = release["components"][0]["files"]
    files.insert(0, dict(files[0]))


def _outside_link(release):
    release["components"][0]["symlinks"] = [{"path": "a-link", "target": "../../etc/passwd"}]


def _through_link(release):
    release["allow_outside_links"] = True
    release["components"][0]["symlinks"] = [{"path": "bin", "target": "/etc"}]


def _beyond_the_image(release):
    release["components"][0]["files"][0]["offset"] = 1 << 40


def _newer_format(release):
    release["format_version"] = 2


def manifests_that_no_publisher_signs():
    """Signed with the right keys, but made by hand to escape or to collide: the client refuses."""
    needs_program("openssl")
    cases = [
        ("nothing wrong", lambda release: None, ()),
        ("a path to outside", _rename("../escape"), ("path_invalid", "metadata_invalid")),
        ("an absolute path", _rename("/escape"), ("path_invalid", "metadata_invalid")),
        ("a dot", _rename("./x"), ("path_invalid", "metadata_invalid")),
        ("a NUL", _rename("a\0b"), ("path_invalid", "metadata_invalid")),
        ("not normalised", _rename("0cafe\u0301"), ("path_invalid", "metadata_invalid")),
        ("a collision by case", _collide_in_manifest, ("path_collision",)),
        ("a path twice", _twice, ("path_collision", "metadata_invalid")),
        ("a link to outside", _outside_link, ("path_invalid",)),
        ("a file through a link", _through_link, ("path_collision", "path_invalid")),
        ("a file beyond the image", _beyond_the_image, ("metadata_invalid",)),
        ("a newer format", _newer_format, ("unsupported_version",)),
    ]
    with Scope("forged") as scope:
        bench = Bench(scope, 1)
        machine = bench.installed()
        bench.publish_2()
        pristine = scope.path / "pristine"
        shutil.copytree(bench.repository.path, pristine)
        snapshot = Snapshot(machine)
        for name, change, kinds in cases:
            shutil.rmtree(bench.repository.path)
            shutil.copytree(pristine, bench.repository.path)
            Forger(bench.repository).change_release(PRODUCT, "2", change)
            snapshot.restore()
            print(f"  {name}")
            if kinds:
                error = bench.fails("update", kinds)
                check("publish" not in error["remedy"].replace("publisher", "")
                      and "Rename" not in error["remedy"],
                      f"a player cannot do this: {error['remedy']}")
            else:  # what the forger signs is believed: the refusals are not about signatures
                bench.succeeds("update", "2")
        check(not list(machine.folder.parent.rglob("*escape*")), "something escaped")


SCENARIOS = [trees_that_cannot_be_published, devices_cannot_be_published,
             names_that_differ_only_in_case, manifests_that_no_publisher_signs]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
