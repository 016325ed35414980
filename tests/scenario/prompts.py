#!/usr/bin/env python3
"""What shoal-publish asks on a terminal, and what happens when the answer is Ctrl-C: the terminal
echoes again, and nothing is left behind.

    prompts.py [--list] [SCENARIO]...
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.run import Scope, check, program, run, run_scenarios  # noqa: E402
from harness.terminal import Terminal  # noqa: E402

INTERRUPT, SUSPEND = "\x03", "\x1a"
SECRET = "correct horse"
SIGINT_CODES = (-2, 130)  # by the signal, or as a handler reports it


def terminal(scope, *arguments, typed_ahead=""):
    environment = {name: value for name, value in os.environ.items() if name != "SHOAL_PASSPHRASE"}
    return Terminal([program("shoal-publish"), *arguments], scope.path, environment, typed_ahead)


def files(folder):
    """All files of a folder with their content; the lock is no content."""
    return {str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(Path(folder).rglob("*")) if path.is_file() and path.name != ".lock"}


def new_key(scope, name):
    """A sealed key, made with both prompts answered."""
    with terminal(scope, "key", "new", name) as screen:
        for question in (f"Passphrase for {name}: ", "The same again: "):
            screen.expect(question)
            check(not screen.echoes(), f"'{question}' echoes what is typed")
            screen.type(f"{SECRET}\n")
        code, shown = screen.end()
        check(code == 0 and "words" in shown, f"key new: exit {code}\n{shown}")
        check(SECRET not in shown and screen.echoes(), "the passphrase is shown, or echo is off")


def interrupted_at_a_prompt():
    """Ctrl-C and Ctrl-Z at each question of `key new`; a passphrase is nowhere to be read."""
    with Scope("prompts") as scope:
        for answered in (0, 1):
            with terminal(scope, "key", "new", "a.key") as screen:
                screen.expect("Passphrase for a.key: ")
                if answered:
                    screen.type(f"{SECRET}\n")
                    screen.expect("The same again: ")
                    for name in ("cmdline", "environ"):
                        shown = Path(f"/proc/{screen.pid}/{name}").read_bytes()
                        check(SECRET.encode() not in shown,
                              f"the passphrase is in /proc/PID/{name}")
                screen.type(INTERRUPT)
                code, shown = screen.end()
                check(code in SIGINT_CODES, f"exit {code}\n{shown}")
                check(screen.echoes(), "the terminal does not echo after Ctrl-C")
                check(not files(scope.path), f"left behind: {list(files(scope.path))}")
        with terminal(scope, "key", "new", "a.key") as screen:
            screen.expect("Passphrase for a.key: ")
            screen.type(SUSPEND)
            screen.wait_stopped()
            check(screen.echoes(), "the terminal does not echo after Ctrl-Z")
            screen.bring_back()
            screen.expect("Passphrase for a.key: ")
            screen.type(f"{SECRET}\n")
            screen.expect("The same again: ")
            screen.type("something else\n")
            code, shown = screen.end()
            check(code == 1 and "the two passphrases differ" in shown, f"exit {code}\n{shown}")
            check(not files(scope.path), "a key was made although the passphrases differ")


def signing_asks_before_it_signs():
    """No, Ctrl-C and a wrong passphrase leave a proposal as it was; yes signs it."""
    with Scope("prompts") as scope:
        publish = program("shoal-publish")
        run([publish, "init", scope.path / "repo", "--keys", scope.path / "keys",
             "--no-passphrase"])
        new_key(scope, "alice.key")
        proposal = scope.path / "root.proposal"
        run([publish, "root", "propose", scope.path / "repo", "--add-key",
             scope.path / "alice.key.pub", "-o", proposal])
        before = proposal.read_bytes()
        sign = ("root", "sign", "root.proposal", "--key", "alice.key")
        for passphrase, answer, expected in ((INTERRUPT, "", None), ("wrong\n", "", 1),
                                             (f"{SECRET}\n", "n\n", 130),
                                             (f"{SECRET}\n", INTERRUPT, None)):
            with terminal(scope, *sign) as screen:
                seen = screen.expect("Passphrase for alice.key: ")
                check("root: adds the key" in seen and "You sign with the key" in seen,
                      f"it asks before it says what is to be signed:\n{seen}")
                screen.type(passphrase)
                if passphrase == "wrong\n":  # another try
                    screen.expect("Passphrase for alice.key: ")
                    screen.type(passphrase)
                if answer:
                    screen.expect("Sign? [y/N] ")
                    check(screen.echoes(), "the answer is not shown")
                    screen.type(answer)
                code, shown = screen.end()
                check(code in SIGINT_CODES if expected is None else code == expected,
                      f"{passphrase!r} {answer!r}: exit {code}\n{shown}")
                check(screen.echoes(), "the terminal does not echo")
            check(proposal.read_bytes() == before, "the proposal was changed")
        with terminal(scope, *sign) as screen:
            screen.expect("Passphrase for alice.key: ")
            screen.type(f"{SECRET}\n")
            screen.expect("Sign? [y/N] ")
            screen.type("y\n")
            code, shown = screen.end()
            check(code == 0 and "Signed." in shown, f"exit {code}\n{shown}")
        check(proposal.read_bytes() != before, "nothing was signed")


def what_is_typed_ahead_signs_nothing():
    """A key without a passphrase asks nothing before: the answer must be to what was shown."""
    with Scope("prompts") as scope:
        publish = program("shoal-publish")
        run([publish, "init", scope.path / "repo", "--keys", scope.path / "keys",
             "--no-passphrase"])
        run([publish, "root", "propose", scope.path / "repo", "--expires", "in 1 year", "-o",
             scope.path / "root.proposal"])
        sign = ("root", "sign", "root.proposal", "--key", "keys/root.key")
        with terminal(scope, *sign, typed_ahead="y\n") as screen:
            screen.expect("Sign? [y/N] ")
            screen.type("n\n")
            code, shown = screen.end()
            check(code == 130 and "Signed." not in shown, f"exit {code}\n{shown}")


def interrupted_release_leaves_nothing():
    """Ctrl-C at the question for a passphrase and in the middle of the reading."""
    with Scope("prompts") as scope:
        publish = program("shoal-publish")
        environment = {"SHOAL_PASSPHRASE": SECRET}
        run([publish, "init", scope.path / "repo", "--keys", scope.path / "keys"],
            environment=environment)
        trees.make_tree(scope.path / "tree", 200)
        before = files(scope.path / "repo")
        release = ("release", "repo", "tree", "--product", "game", "--version", "1", "--keys",
                   "keys")
        with terminal(scope, *release) as screen:
            screen.expect("Passphrase for ")
            screen.type(INTERRUPT)
            code, shown = screen.end()
            check(code == 130 and screen.echoes(), f"exit {code}, echo {screen.echoes()}\n{shown}")
        check(files(scope.path / "repo") == before, "left behind by a question")
        with terminal(scope, *release) as screen:
            screen.expect("Passphrase for ")
            screen.type(f"{SECRET}\n")
            screen.expect("Reading [")
            screen.type(INTERRUPT)
            code, shown = screen.end(120)
            check(code == 130 and screen.echoes(), f"exit {code}, echo {screen.echoes()}\n{shown}")
        after = files(scope.path / "repo")
        check(after == before, f"left behind: {sorted(set(after) - set(before))}")
        run([publish, "check", scope.path / "repo"])


SCENARIOS = [interrupted_at_a_prompt, signing_asks_before_it_signs,
             what_is_typed_ahead_signs_nothing, interrupted_release_leaves_nothing]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
