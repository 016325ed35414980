#!/usr/bin/env python3
"""What the programs answer to a command line that is wrong, and what they say of one that is right.

    command_lines.py [--list] [SCENARIO]...
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness.run import Scope, check, program, run, run_scenarios  # noqa: E402

USAGE = 2


def refused(name, *arguments):
    """The output of a program that refuses its command line."""
    done = subprocess.run([program(name), *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    check(done.returncode == USAGE, f"{name} {arguments}: exit {done.returncode}, not {USAGE}")
    return done.stdout + done.stderr


def misspelt_names_are_answered_with_the_nearest():
    """A command or option that there is not is refused with the one that was meant."""
    cases = [
        ("shoal", ["instal", "game"], "there is no command 'instal'; did you mean 'install'?"),
        ("shoal", ["list", "--jsn"], "there is no option '--jsn'; did you mean '--json'?"),
        ("shoal-publish", ["relase", "repo"],
         "there is no command 'relase'; did you mean 'release'?"),
        ("shoal-publish", ["root", "sgin"],
         "there is no command 'sgin' under 'root'; did you mean 'sign'?"),
        ("shoal-publish", ["release", "repo", "tree", "--keys", "k", "--product", "p", "--version",
                           "1", "--chanel", "c"],
         "there is no option '--chanel'; did you mean '--channel'?"),
        ("shoal-publish", ["frobnicate"], "there is no command 'frobnicate'"),
        ("shoald", ["--libary", "x"], "--library"),
    ]
    for name, arguments, expected in cases:
        output = refused(name, *arguments)
        check(expected in output, f"{name} {arguments}: {output}")


def json_is_json_before_and_after_the_command():
    """--json makes the refusal JSON, wherever it stands."""
    for name, arguments in (("shoal", ["--json", "instal"]), ("shoal", ["instal", "--json"]),
                            ("shoal-publish", ["--json", "lst", "repo"]),
                            ("shoal-publish", ["lst", "repo", "--json"])):
        document = json.loads(refused(name, *arguments))
        error = document["error"] if name == "shoal-publish" else document
        check(error["kind"] == "invalid_request" and "did you mean" in error["message"],
              f"{name} {arguments}: {error}")
    done = subprocess.run([program("shoal-publish"), "--json", "list", "/nonexistent"],
                          capture_output=True, text=True, timeout=60, check=False)
    check(json.loads(done.stderr)["error"]["kind"] == "not_found", done.stdout + done.stderr)


def signing_is_announced_and_json_stays_json():
    """What is about to be signed is said first; with --json there is one document, no more."""
    with Scope("announced") as scope:
        publish, repo, keys = program("shoal-publish"), scope.path / "repo", scope.path / "keys"
        run([publish, "init", repo, "--keys", keys, "--no-passphrase"])
        (scope.path / "tree").mkdir()
        (scope.path / "tree/file").write_text("content")

        def said(*arguments):
            done = subprocess.run([publish, *arguments, "--keys", keys], capture_output=True,
                                  text=True, timeout=60, check=False)
            check(done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}")
            return done

        def release(version, *more):
            return said("release", repo, scope.path / "tree", "--product", "game", "--version",
                        version, *more)

        for done, change, end in (
                (release("1"), "game: adds release game/1 ", "Published game 1 "),
                (said("channel", repo, "--product", "game", "--channel", "beta",
                      "--version", "1"),
                 "game: channel beta points at 1", "Channel beta of game is now 1.")):
            announced, _, after = done.stdout.partition("You sign with the key ")
            check(change in announced and end in after and end not in announced, done.stdout)
        for done in (release("2", "--json"),
                     said("channel", repo, "--product", "game", "--channel", "beta", "--version",
                          "2", "--json")):
            said_of = json.loads(done.stdout)["signed"][0]
            check(any("game" in line for line in said_of["changes"]) and
                  any("game" in key["roles"] for key in said_of["keys"]), done.stdout)
            check(done.stderr == "", done.stderr)


def a_proposal_is_written_over_nothing():
    """-o and --propose leave keys, roots and signed proposals alone, but replace unsigned ones."""
    with Scope("names") as scope:
        publish, repo, keys = program("shoal-publish"), scope.path / "repo", scope.path / "keys"
        run([publish, "init", repo, "--keys", keys, "--no-passphrase"])
        run([publish, "key", "new", scope.path / "team.key", "--no-passphrase"])

        def said(*arguments):
            return subprocess.run([publish, *arguments, "--json"], capture_output=True, text=True,
                                  timeout=60, check=False)

        def propose(name):
            return said("root", "propose", repo, "--expires", "in 1 year", "-o", name)

        def delegate(name):
            return said("delegate", repo, "--product", "game", "--key",
                        scope.path / "team.key.pub", "--keys", keys, "--propose", name)

        signed = scope.path / "signed.proposal"
        for _ in range(2):
            check(propose(signed).returncode == 0, "an unsigned proposal is not replaced")
        run([publish, "root", "sign", signed, "--key", keys / "root.key", "--yes"])
        for name in (signed, keys / "root.key", repo / "root.json"):
            before = name.read_bytes()
            for done in (propose(name), delegate(name)):
                check(done.returncode == 1, f"{name}: exit {done.returncode}")
                error = json.loads(done.stderr)["error"]
                check(error["kind"] == "conflict" and "is there already" in error["message"],
                      done.stderr)
            check(name.read_bytes() == before, f"{name} was written over")
        # A slip is noticed before the work: nothing waits that a second attempt would stumble over.
        for done in (propose(scope.path / "stik/a"), delegate(scope.path / "stik/a")):
            error = json.loads(done.stderr)["error"]
            check(error["kind"] == "not_found" and "stik" in error["message"], done.stderr)
        check(not list((repo / ".pending").glob("*")), "a proposal waits")
        done = delegate(scope.path / "stick.proposal")
        check(done.returncode == 0, done.stderr)
        done = said("refresh", repo, "--all", "--keys", keys, "--propose", signed)
        check(done.returncode == 0 and "is there already" in done.stdout, done.stdout + done.stderr)


def errors_do_not_steer_the_terminal():
    """What a file from somebody else is called in an error has no control characters."""
    with Scope("steered") as scope:
        twice = scope.path / "twice"
        twice.write_text('{"\\u001b[2J\\u009b2J": 1, "\\u001b[2J\\u009b2J": 2}')
        for words in (["root", "review", twice], ["product", "apply", scope.path, twice],
                      ["key", "show", twice], ["list", scope.path / "a\x1b[2Jb"]):
            done = subprocess.run([program("shoal-publish"), *words], capture_output=True,
                                  timeout=60, check=False)
            said = (done.stdout + done.stderr).decode()
            check(done.returncode == 1, f"{words}: exit {done.returncode}: {said}")
            check("?[2J" in said, said)
            check(not any(c < " " and c != "\n" or "\x7f" <= c < "\xa0" for c in said), repr(said))


SCENARIOS = [misspelt_names_are_answered_with_the_nearest,
             json_is_json_before_and_after_the_command,
             signing_is_announced_and_json_stays_json,
             a_proposal_is_written_over_nothing,
             errors_do_not_steer_the_terminal]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
