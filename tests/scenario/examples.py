#!/usr/bin/env python3
"""The example launchers against a real daemon: they install, update, start the product, and tell
what is wrong in the daemon's own words.

    examples.py [--list] [SCENARIO]...
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.run import ROOT, Scope, check, program, run, run_scenarios  # noqa: E402
from harness.world import PRODUCT, Machine, Repository  # noqa: E402

SHELL = ROOT / "examples" / "launcher.sh"
PYTHON = ROOT / "examples" / "launcher.py"


def _site(scope):
    """A served repository whose product prints its version, and a machine that knows it."""
    source = trees.make_tree(scope.path / "v1", 2)
    (source / "bin/game").write_text('#!/bin/sh\necho "game 1 started with $*"\n')
    repository = Repository(scope)
    repository.release(source, "1", more=["--launch", "bin/game", "--launch-argument", "--fast"])
    edge = f"{scope.address(1)}:8080"
    scope.start([program("shoal-publish"), "serve", str(repository.path), "--listen", edge],
                "serve.log")
    machine = Machine(scope, "machine", scope.address(1), consent="denied").start().wait_ready()
    machine.add_repository(f"http://{edge}", repository.root())
    return repository, source, machine


def shell_launcher():
    """launcher.sh installs, then starts what the release says, with its arguments."""
    with Scope("shell") as scope:
        _, source, machine = _site(scope)
        out, _ = run([SHELL, PRODUCT, machine.socket])
        check("game 1 started with --fast" in out, f"it printed: {out}")
        machine.check_tree(source)
        out, _ = run([SHELL, PRODUCT, machine.socket])
        check("game 1 started" in out, f"the second time it printed: {out}")


def python_launcher():
    """launcher.py installs and updates, following the event stream."""
    with Scope("python") as scope:
        repository, source, machine = _site(scope)
        out, _ = run([PYTHON, PRODUCT, "--socket", machine.socket])
        check("done" in out, f"it printed: {out}")
        machine.check_tree(source)
        newer = trees.edit_tree(source, scope.path / "v2")
        repository.release(newer, "2")
        run([PYTHON, PRODUCT, "--socket", machine.socket])
        machine.check_tree(newer)


def launchers_say_what_is_wrong():
    """No such product, and no daemon: exit code 1 and a sentence on stderr."""
    with Scope("wrong") as scope:
        _, _, machine = _site(scope)
        for command in ([SHELL, "absent", machine.socket],
                        [PYTHON, "absent", "--socket", machine.socket]):
            _, err = run(command, expect=1)
            check("launcher: " in err and "absent" in err, f"{command[0].name}: {err}")
        for command in ([SHELL, PRODUCT, scope.path / "nowhere"],
                        [PYTHON, PRODUCT, "--socket", scope.path / "nowhere"]):
            out, err = run(command, expect=1)
            check("is shoald running" in err and not out, f"{command[0].name}: {out} {err}")


SCENARIOS = [shell_launcher, python_launcher, launchers_say_what_is_wrong]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
