#!/usr/bin/env python3
"""Rehearses docs/keys.md: runs every command of it, in its order, and after each section lets
clients refresh: one that never missed a root, one that was away since the start, and a new one. A
real daemon installs the first release and updates to the last.

    keys.py [--list] [SCENARIO]...
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.run import ROOT, Scope, build_folder, check, program, run_scenarios  # noqa: E402
from harness.run import run  # noqa: E402
from harness.world import Machine  # noqa: E402

ADDRESS = "127.0.0.53"
SECTION = re.compile(r"<!-- rehearse: (.+?) -->\n```console\n(.*?)```", re.S)


def sections():
    """(name, commands) of each rehearsed block."""
    text = (ROOT / "docs" / "keys.md").read_text()
    return [(name, [line[2:] for line in block.splitlines() if line.startswith("$ ")])
            for name, block in SECTION.findall(text)]


class Rehearsal:
    """A folder in which the commands run, and clients of the repository in it."""

    def __init__(self, scope):
        self.scope = scope
        self.folder = scope.path / "work"
        self.folder.mkdir()
        self.clients = {}
        self.environment = {**os.environ, "SHOAL_PASSPHRASE": "rehearsal",
                            "PATH": f"{build_folder() / 'bin'}:{os.environ['PATH']}"}

    def command(self, line):
        done = subprocess.run(["bash", "-ec", line], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=300, check=False)
        if os.environ.get("SHOAL_SHOW") == "1":
            print(f"$ {line}\n{done.stdout}{done.stderr}", end="", flush=True)
        check(done.returncode == 0,
              f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")

    def refresh(self, name, forget=False):
        """A client of the trust library refreshes, starting from the first root."""
        client = str(build_folder() / "tests/conformance/tuf-client")
        metadata = self.scope.path / "clients" / name
        if forget:
            shutil.rmtree(metadata, ignore_errors=True)
        if not metadata.exists():
            metadata.mkdir(parents=True)
            run([client, "--metadata-dir", metadata, "init",
                 self.folder / "repo/metadata/1.root.json"])
        run([client, "--metadata-url", f"http://{ADDRESS}:8080/metadata", "--metadata-dir",
             metadata, "refresh"])


def the_ceremony_as_documented():
    """Every command of docs/keys.md; all clients follow through every change of keys."""
    with Scope("keys") as scope:
        rehearsal = Rehearsal(scope)
        source = trees.make_tree(rehearsal.folder / "game-1.0", 2)
        newer = trees.edit_tree(source, rehearsal.folder / "game-2.0")
        machine = None
        names = []
        for name, commands in sections():
            for line in commands:
                rehearsal.command(line)
            names.append(name)
            if name == "set up":
                scope.start([program("shoal-publish"), "serve", str(rehearsal.folder / "repo"),
                             "--listen", f"{ADDRESS}:8080"], "serve.log")
                machine = Machine(scope, "machine", ADDRESS, consent="denied").start().wait_ready()
                root = (rehearsal.folder / "repo/root.json").read_text()
                machine.add_repository(f"http://{ADDRESS}:8080", root)
                rehearsal.refresh("away")
            rehearsal.refresh("regular")
            rehearsal.refresh("new", forget=True)
            rehearsal.command("shoal-publish check repo")
            if name == "release":
                change = machine.api.start("install", "game")
                machine.wait_change(change, 120)
                machine.check_tree(source, "game")
        for wanted in ("lost root key", "stolen root key", "stolen timestamp key",
                       "stolen product key"):
            check(wanted in names, f"docs/keys.md rehearses no {wanted}")
        rehearsal.refresh("away")
        change = machine.api.start("update", "game")
        machine.wait_change(change, 120)
        machine.check_tree(newer, "game")


SCENARIOS = [the_ceremony_as_documented]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
