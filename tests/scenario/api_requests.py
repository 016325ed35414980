#!/usr/bin/env python3
"""Requests to the local API that are malformed, or not allowed to who sends them.

    api_requests.py [--list] [SCENARIO]...
"""

import json
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness.api import ApiError  # noqa: E402
from harness.bench import Bench  # noqa: E402
from harness.run import Scope, check, needs_root, run_scenarios  # noqa: E402
from harness.world import PRODUCT  # noqa: E402


def _raw(machine, data, uid=None):
    """Sends bytes to the socket and returns the status line; as another user where uid is set."""
    script = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(10); "
              "s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read()); "
              "sys.stdout.write(s.recv(65536).decode(errors='replace'))")
    command = [sys.executable, "-c", script, str(machine.socket)]
    if uid is not None:
        command = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                   "/usr/bin/python3", *command[1:]]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=30)
    check(done.returncode == 0, f"{done.stderr.decode()}")
    return done.stdout.decode()


def api_requests_that_are_wrong():
    """Malformed requests: a 4xx of the right kind each, and the daemon lives on."""
    with Scope("api") as scope:
        bench = Bench(scope, 1)
        machine = bench.known()

        def kind_of(method, path, body):
            try:
                machine.api.call(method, path, body)
            except ApiError as error:
                check(400 <= error.status < 500, f"{method} {path}: {error}")
                return error.kind
            return "accepted"

        expected = [
            ("POST", "/changes", {"kind": "install"}, "invalid_request"),
            ("POST", "/changes", {"kind": "explode", "product": "demo"}, "invalid_request"),
            ("POST", "/changes", {"kind": "install", "product": 7}, "invalid_request"),
            ("POST", "/changes", {"kind": "install", "product": "../etc"}, "invalid_request"),
            ("POST", "/changes", {"kind": "install", "product": "demo", "wat": 1},
             "invalid_request"),
            ("POST", "/changes", {"kind": "update", "product": "absent"}, "not_found"),
            ("GET", "/changes/absent", None, "not_found"),
            ("GET", "/nothing/here", None, "not_found"),
            ("POST", "/repositories", {"url": "file:///etc", "root_json": "{}"},
             "invalid_request"),
        ]
        for method, path, body, kind in expected:
            found = kind_of(method, path, body)
            check(found == kind, f"{method} {path} {body}: {found}, not {kind}")
        post = b"POST /v1/changes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        deep = b"[" * 100_000
        for what, data in [
                ("no JSON", post + b"Content-Length: 3\r\n\r\n{{{"),
                ("deep JSON", post + b"Content-Length: %d\r\n\r\n" % len(deep) + deep),
                ("a body too large", post + b"Content-Length: 999999999\r\n\r\n"),
                ("a header too large", b"GET /v1/system HTTP/1.1\r\nX: " + b"a" * 100_000),
                ("no HTTP", b"\x16\x03\x01 hello\r\n\r\n")]:
            answer = _raw(machine, data)
            check(answer.startswith("HTTP/1.1 4"), f"{what}: {answer[:60]!r}")
        check(machine.api.answers(), "the daemon does not answer any more")
        bench.succeeds("install", "1")


def api_requests_that_are_not_allowed():
    """Everyone local may read; only root, the daemon's user and the group may act."""
    needs_root("become somebody else")
    with Scope("allowed") as scope:
        bench = Bench(scope, 1)
        machine = bench.known()
        scope.path.chmod(0o755)
        machine.folder.chmod(0o755)
        nobody = 65534
        answer = _raw(machine, b"GET /v1/system HTTP/1.1\r\nHost: x\r\n\r\n", nobody)
        check(answer.startswith("HTTP/1.1 200"), f"reading: {answer[:80]!r}")
        body = json.dumps({"kind": "install", "product": PRODUCT}).encode()
        answer = _raw(machine, b"POST /v1/changes HTTP/1.1\r\nHost: x\r\nContent-Type: "
                      b"application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body, nobody)
        check(answer.startswith("HTTP/1.1 403") and "not_allowed" in answer, f"{answer[:200]!r}")
        check(not machine.api.changes(), "the change was made all the same")


SCENARIOS = [api_requests_that_are_wrong, api_requests_that_are_not_allowed]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
