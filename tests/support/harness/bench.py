"""What the scenarios of bad input share: a repository with two versions, an edge with faults, and
one machine, whose changes have to succeed, or to fail as they should."""

import json
import re
import shutil
import subprocess

from . import trees
from .api import ApiError
from .edge_server import EdgeServer
from .run import ROOT, check, program
from .world import PRODUCT, Machine, Repository

PATIENCE_S = 120


def exit_codes():
    """kind -> exit code of `shoal`, from the one table of kinds."""
    table = (ROOT / "lib/base/error.cpp").read_text()
    rows = re.findall(r'\{K::(\w+), "\w+", \d+, (\d+),', table)
    check(len(rows) > 20, "the table of kinds in lib/base/error.cpp has another shape")
    return {kind: int(code) for kind, code in rows}


class Bench:
    """Versions 1 and 2 of a tree; version 1 is published and the channel's. An edge, a machine."""

    def __init__(self, scope, megabytes=8):
        self.scope = scope
        self.source = {"1": trees.make_tree(scope.path / "v1", megabytes)}
        self.source["2"] = trees.edit_tree(self.source["1"], scope.path / "v2")
        self.repository = Repository(scope)
        self.repository.release(self.source["1"], "1")
        self.edge = EdgeServer(self.repository.path)
        scope.cleanups.append(self.edge.close)
        self.machine = None
        self.exit_codes = exit_codes()

    def publish_2(self):
        """Version 2, and the channel points at it."""
        self.repository.release(self.source["2"], "2")

    def publish_2_unseen(self):
        """The same while the machine is stopped: it looks for news by itself, soon after its start
        for the first time, and would know the metadata before a fault is set."""
        self.machine.process.stop()
        self.publish_2()
        self.machine.start().wait_ready()

    def client(self, consent="denied", **more):
        self.machine = Machine(self.scope, "machine", self.scope.address(1), consent=consent,
                               **more)
        self.machine.start().wait_ready()
        return self.machine

    def known(self, **more):
        """The machine, with the repository added."""
        self.client(**more)
        self.machine.add_repository(self.edge.url, self.repository.root())
        return self.machine

    def installed(self, **more):
        self.known(**more)
        self.succeeds("install", "1")
        return self.machine

    def start(self, kind, **more):
        return self.machine.api.start(kind, PRODUCT, **more)

    def succeeds(self, kind, version, **more):
        done = self.machine.wait_change(self.start(kind, **more), PATIENCE_S)
        self.machine.check_tree(self.source[version])
        return done

    def fails(self, kind, kinds, more=()):
        """`shoal` fails with one of the kinds, says why and what to do, ends with the exit code of
        that kind, and what was installed is as it was. Returns the error."""
        before = self.machine.api.version_of(PRODUCT)
        done = subprocess.run([program("shoal"), "--socket", self.machine.socket, "--json", kind,
                               PRODUCT, *more], capture_output=True, text=True, check=False,
                              timeout=PATIENCE_S)
        answer = json.loads(done.stdout)
        error = answer.get("error", answer)  # of the change, or of a request that was refused
        print(f"  {kind}: {error.get('kind')}: {error.get('message')} "
              f"[{error.get('remedy')}]"[:240], flush=True)
        check(error.get("kind") in kinds, f"{kind} gave {answer}, not {' or '.join(kinds)}")
        check(error["message"] and error["remedy"], f"no cause or no remedy: {error}")
        check(done.returncode == self.exit_codes[error["kind"]],
              f"exit code {done.returncode} of {error['kind']}")
        self.check_untouched(before)
        return error

    def waits(self, kind, words=""):
        """The change waits for better bytes and says so; what was installed is as it was. Returns
        the change's id."""
        before = self.machine.api.version_of(PRODUCT)
        change = self.start(kind)
        waiting = self.machine.wait_change(change, PATIENCE_S, ("waiting",))
        print(f"  {kind} waits: {waiting['waiting_for']}", flush=True)
        check(waiting["waiting_for"] and words in waiting["waiting_for"], f"{waiting}")
        self.check_untouched(before)
        return change

    def cancel(self, change):
        self.machine.api.call("POST", f"/changes/{change}/cancel")
        self.machine.wait_change(change, PATIENCE_S, ("cancelled",))

    def check_untouched(self, version):
        check(self.machine.api.version_of(PRODUCT) == version, "the version has changed")
        if version:
            self.machine.check_tree(self.source[version])


class Snapshot:
    """A stopped machine's folder, to be put back before each of many faults."""

    def __init__(self, machine):
        machine.process.stop()
        self.machine = machine
        self.copy = machine.folder.with_name(machine.folder.name + "-snapshot")
        shutil.copytree(machine.folder, self.copy, symlinks=True,
                        ignore=shutil.ignore_patterns("*.sock"))

    def restore(self):
        self.machine.process.kill()
        shutil.rmtree(self.machine.folder)
        shutil.copytree(self.copy, self.machine.folder, symlinks=True)
        self.machine.start().wait_ready()


def outcome(machine, kind):
    """Runs the change; ("", state) when it went well or waits, else (kind of the error, state)."""
    try:
        ended = machine.wait_change(machine.api.start(kind, PRODUCT), PATIENCE_S,
                                    ("failed", "done", "waiting"))
        return (ended.get("error") or {}).get("kind", ""), ended["state"]
    except ApiError as error:
        return error.kind, "refused"
