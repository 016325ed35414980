#!/usr/bin/env python3
"""Rehearses docs/keys.md: runs every command of it, in its order, compares what it prints with
what the page says, and after each section lets clients refresh: one that never missed a root, one
that was away since the start, and a new one. A real daemon installs the first release and updates
to the last.

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


# What differs from one rehearsal to the next, as it is printed and as the page has it.
VARIES = ((r"\b[0-9a-f]{8,64}\b…?", "ID"), (r"\b[a-z]+(-[a-z]+){2,11}(-…)?", "WORDS"),
          (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"), (r"\d[\d.]* [kMG]?B\b", "SIZE"),
          (r"\b\d+ files,", "N files,"))


def sections():
    """(name, [(command, what it prints)]) of each rehearsed block."""
    text = (ROOT / "docs" / "keys.md").read_text()
    for name, block in SECTION.findall(text):
        steps = []
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append((line[2:], []))
            else:
                steps[-1][1].append(line)
        yield name, steps


def without_what_varies(text):
    """One line, with the same word for whatever no two rehearsals share."""
    for pattern, word in VARIES:
        text = re.sub(pattern, word, text)
    return " ".join(text.split())


def check_printed(command, documented, printed):
    """`…` stands for anything; lines may be wrapped."""
    wanted = ".*".join(re.escape(part.strip())
                       for part in without_what_varies("\n".join(documented)).split("…"))
    check(re.fullmatch(wanted, without_what_varies(printed)),
          f"docs/keys.md: {command}\nsays\n{chr(10).join(documented)}\nbut it prints\n{printed}")


class Rehearsal:
    """A folder in which the commands run, and clients of the repository in it."""

    def __init__(self, scope):
        self.scope = scope
        self.folder = scope.path / "work"
        self.folder.mkdir()
        self.clients = {}
        self.environment = {**os.environ, "SHOAL_PASSPHRASE": "rehearsal",
                            "PATH": f"{build_folder() / 'bin'}:{os.environ['PATH']}"}

    def command(self, line, documented=()):
        done = subprocess.run(["bash", "-ec", line], cwd=self.folder, env=self.environment,
                              capture_output=True, text=True, timeout=300, check=False)
        if os.environ.get("SHOAL_SHOW") == "1":
            print(f"$ {line}\n{done.stdout}{done.stderr}", end="", flush=True)
        check(done.returncode == 0,
              f"{line}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        if documented:
            check_printed(line, documented, done.stdout)

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
        for name, steps in sections():
            for line, documented in steps:
                rehearsal.command(line, documented)
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
