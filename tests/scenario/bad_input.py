#!/usr/bin/env python3
"""Everything that can be wrong with what Shoal is given, through the real programs on loopback: a
clear error of a stable kind, nothing lost, and all well again once the fault is gone.

    bad_input.py [--list] [SCENARIO]...
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.api import ApiError  # noqa: E402
from harness.edge_server import EdgeServer  # noqa: E402
from harness.run import Scope, check, program, run, run_scenarios, wait_until  # noqa: E402
from harness.world import PRODUCT, Machine, Repository  # noqa: E402

PATIENCE_S = 120
SIGNED = ("metadata_invalid", "signature_invalid", "verification_failed", "too_large")


class Bench:
    """A repository with versions 1 and 2 (the channel at 1), an edge with faults, one machine."""

    def __init__(self, scope, megabytes=8):
        self.scope = scope
        self.source = {"1": trees.make_tree(scope.path / "v1", megabytes)}
        self.source["2"] = trees.edit_tree(self.source["1"], scope.path / "v2")
        self.repository = Repository(scope)
        self.repository.release(self.source["1"], "1")
        self.edge = EdgeServer(self.repository.path)
        scope.cleanups.append(self.edge.close)
        self.machine = None

    def client(self, **more):
        self.machine = Machine(self.scope, "machine", "127.0.0.51", consent="denied", **more)
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

    def start(self, kind):
        """The change's id, or the ApiError when it was refused at once."""
        try:
            return self.machine.api.start(kind, PRODUCT)
        except ApiError as error:
            return error

    def succeeds(self, kind, version):
        change = self.start(kind)
        check(not isinstance(change, ApiError), f"{kind} was refused: {change}")
        done = self.machine.wait_change(change, PATIENCE_S)
        self.machine.check_tree(self.source[version])
        return done

    def fails(self, kind, kinds, states=("failed",)):
        """The change ends (or waits) with an error of one of the kinds."""
        change = self.start(kind)
        if isinstance(change, ApiError):
            found, told = change.kind, str(change)
        else:
            ended = self.machine.wait_change(change, PATIENCE_S, states)
            error = ended.get("error") or {}
            found, told = error.get("kind"), json.dumps(error) + ended.get("waiting_for", "")
            if ended["state"] == "waiting":
                self.machine.api.call("POST", f"/changes/{change}/cancel")
                self.machine.wait_change(change, PATIENCE_S, ("cancelled",))
        check(found in kinds or (found is None and "waiting" in states),
              f"{kind} failed with {found}, not {' or '.join(kinds)}: {told}")
        print(f"  {kind}: {told[:150]}")


def _damaged(original, fault):
    middle = len(original) // 2
    if fault == "truncated":
        return original[:middle]
    return original[:middle] + bytes([original[middle] ^ 1]) + original[middle + 1:]


def flipped_and_truncated_files():
    """A flipped byte in, or the end cut off, any published file: refused, nothing installed."""
    with Scope("flipped") as scope:
        bench = Bench(scope, 4)
        bench.repository.release(bench.source["2"], "2")
        trusted_root = bench.repository.root()
        needed = 0
        files = [f for f in sorted(bench.repository.path.rglob("*"))
                 if f.is_file() and f.stat().st_size > 0]
        for number, file in enumerate(files):
            name = file.relative_to(bench.repository.path)
            original = file.read_bytes()
            for fault in ("flipped", "truncated"):
                file.write_bytes(_damaged(original, fault))
                bench.edge.requested.clear()
                machine = Machine(scope, f"machine-{number}-{fault}", "127.0.0.51",
                                  consent="denied").start().wait_ready()
                try:
                    machine.add_repository(bench.edge.url, trusted_root)
                    change = machine.api.start("install", PRODUCT)
                    ended = machine.wait_change(change, PATIENCE_S, ("failed", "done", "waiting"))
                    found = (ended.get("error") or {}).get("kind", ended["state"])
                except ApiError as error:
                    found = error.kind
                asked_for = f"/{name}" in bench.edge.requested
                needed += asked_for
                if asked_for:
                    check(found in (*SIGNED, "waiting"), f"{name} {fault}: {found}")
                    check(not machine.api.version_of(PRODUCT), f"installed with {name} {fault}")
                else:  # an older version of something: nobody asks for it any more
                    check(found == "done", f"{name} {fault}, which nobody asked for: {found}")
                machine.process.stop()
                file.write_bytes(original)
        check(needed >= 16, f"only {needed} damaged files were asked for")
        print(f"  {len(files)} files damaged in two ways; {needed} times the client noticed")


def bundles_that_lie():
    """Wrong bytes, wrong places, endless or short bodies of bundles: never installed."""
    with Scope("bundles") as scope:
        bench = Bench(scope)
        bench.known()
        for fault in ("corrupt", "wrong_range", "truncate", "endless"):
            setattr(bench.edge, fault, "/bundles/")
            print(f"  {fault}")
            bench.fails("install", ("verification_failed", "network", "source_unavailable",
                                    "too_large", "network_timeout"), ("failed", "waiting"))
            check(not bench.machine.api.version_of(PRODUCT), "something was installed")
            setattr(bench.edge, fault, None)
            bench.machine.process.stop()  # a dropped mirror is asked again after a restart
            bench.machine.start().wait_ready()
        bench.edge.ignore_ranges = "/bundles/"  # waits, says why, and goes on by itself
        change = bench.machine.api.start("install", PRODUCT)
        waiting = bench.machine.wait_change(change, PATIENCE_S, ("waiting",))
        check("ranges" in waiting["waiting_for"], waiting["waiting_for"])
        bench.edge.ignore_ranges = None
        bench.machine.wait_change(change, PATIENCE_S)
        bench.machine.check_tree(bench.source["1"])


def metadata_without_end():
    """An endless timestamp or target: the limit stops it."""
    with Scope("endless") as scope:
        bench = Bench(scope)
        bench.installed()
        bench.repository.release(bench.source["2"], "2")
        for pattern in ("timestamp.json", "snapshot.json", "/targets/"):
            bench.edge.endless = pattern
            bench.fails("update", (*SIGNED, "network", "network_timeout"))
        bench.edge.endless = None
        bench.succeeds("update", "2")


def expired_metadata():
    """A repository that nobody refreshed: metadata_expired, and refresh heals it."""
    if shutil.which("faketime") is None:
        print("  skipped: no faketime")
        return
    with Scope("expired") as scope:
        bench = Bench(scope)
        bench.client()
        then = ["faketime", "-f", "-400d", program("shoal-publish"), "refresh",
                bench.repository.path, "--keys", bench.repository.keys]
        run(then, environment={"ASAN_OPTIONS": "verify_asan_link_order=0:detect_leaks=0"})
        try:
            bench.machine.add_repository(bench.edge.url, bench.repository.root())
            check(False, "an expired repository was accepted")
        except ApiError as error:
            check(error.kind == "metadata_expired", f"{error.kind}, not metadata_expired")
        run([program("shoal-publish"), "refresh", bench.repository.path, "--keys",
             bench.repository.keys])
        bench.machine.add_repository(bench.edge.url, bench.repository.root())
        bench.succeeds("install", "1")


def older_repository():
    """The mirror goes back to yesterday's files: metadata_rollback, the install stays."""
    with Scope("rollback") as scope:
        bench = Bench(scope)
        yesterday = scope.path / "yesterday"
        shutil.copytree(bench.repository.path, yesterday)
        bench.installed()
        bench.repository.release(bench.source["2"], "2")
        bench.succeeds("update", "2")
        bench.edge.folder = yesterday
        bench.fails("update", ("metadata_rollback",))
        bench.machine.check_tree(bench.source["2"])
        bench.edge.folder = bench.repository.path


def trees_that_cannot_be_published():
    """A FIFO, a device, a link to outside, no UTF-8: refused by name, nothing left behind."""
    with Scope("publish") as scope:
        bench = Bench(scope, 1)
        before = sorted(str(p) for p in bench.repository.path.rglob("*"))

        def refused(name, make, word):
            tree = scope.path / f"bad-{name}"
            tree.mkdir()
            (tree / "fine").write_text("fine")
            make(tree)
            out, err = run([program("shoal-publish"), "release", bench.repository.path, tree,
                            "--product", PRODUCT, "--version", f"bad-{name}", "--keys",
                            bench.repository.keys], expect=1)
            check(word in out + err, f"{name}: '{word}' is not in: {out}{err}")
            print(f"  {name}: {(out + err).strip().splitlines()[-1][:150]}")

        refused("fifo", lambda t: os.mkfifo(t / "pipe"), "pipe")
        if os.geteuid() == 0:
            refused("device", lambda t: os.mknod(t / "null", 0o20600, os.makedev(1, 3)), "null")
        refused("outside", lambda t: (t / "link").symlink_to("../../etc/passwd"), "link")
        refused("absolute", lambda t: (t / "link").symlink_to("/etc/passwd"), "link")
        refused("latin1", lambda t: open(os.fsencode(t) + b"/caf\xe9", "w").close(), "caf")
        refused("control", lambda t: (t / "a\nb").write_text("x"), "control")
        refused("twins", lambda t: ((t / "caf\u00e9").write_text("x"),
                                    (t / "cafe\u0301").write_text("y")), "caf")
        run([program("shoal-publish"), "check", bench.repository.path])
        after = sorted(str(p) for p in bench.repository.path.rglob("*") if p.is_file()
                       and "bundles" not in p.parts)
        check([p for p in after if p not in before] == [], "a refused release left files")


def corrupt_installed_file():
    """Verify reports it, repair fetches its pieces and no others, the wrong copy is kept aside."""
    with Scope("repair") as scope:
        bench = Bench(scope, 32)
        bench.installed()
        victim = bench.machine.tree() / "data/level1.pak"
        data = bytearray(victim.read_bytes())
        data[100_000] ^= 1
        victim.write_bytes(data)
        change = bench.machine.api.start("verify", PRODUCT)
        ended = bench.machine.wait_change(change, PATIENCE_S, ("done", "failed"))
        told = json.dumps(ended["notes"]) + json.dumps(ended.get("error"))
        check("data/level1.pak" in told, f"verify does not name the file: {told}")
        bench.edge.forget_counts()
        bench.succeeds("repair", "1")
        served = bench.edge.bundle_bytes()
        print(f"  repair fetched {served / 1e6:.2f} MB")
        check(0 < served < 3 << 20, f"repair fetched {served} bytes for one wrong byte")


def file_that_the_user_changed():
    """An update moves the user's copy aside, names it, and keeps files that it does not know."""
    with Scope("changed") as scope:
        bench = Bench(scope)
        machine = bench.installed()
        tree = machine.tree()
        (tree / "data/level1.pak").write_text("mine")
        (tree / "saves/slot1").write_text("my save")
        (tree / "my-mod.txt").write_text("my mod")
        bench.repository.release(bench.source["2"], "2")
        done = machine.wait_change(machine.api.start("update", PRODUCT), PATIENCE_S)
        check("data/level1.pak" in json.dumps(done["notes"]), f"not named: {done['notes']}")
        kept = [p for p in machine.library.rglob("*") if p.is_file() and p.stat().st_size == 4
                and p.read_bytes() == b"mine"]
        check(len(kept) == 1, f"the user's copy: {kept}")
        check((tree / "saves/slot1").read_text() == "my save", "the save is gone")
        check((tree / "my-mod.txt").read_text() == "my mod", "the unknown file is gone")
        (tree / "saves/slot1").unlink()
        (tree / "saves").rmdir()
        (tree / "my-mod.txt").unlink()
        machine.check_tree(bench.source["2"])


def _mount(scope, folder, options):
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
    scope.cleanups.append(lambda: subprocess.run(["umount", "-l", folder], check=False))


def full_disk():
    """A library too small: refused before anything is written; with room made, it works."""
    if os.geteuid() != 0:
        print("  skipped: needs root to mount a small file system")
        return
    with Scope("full") as scope:
        bench = Bench(scope, 16)
        small = scope.path / "small"
        _mount(scope, small, "size=10m")
        bench.known(options=["--library", small])
        bench.machine.library = small
        change = bench.machine.api.start("install", PRODUCT, library=str(small))
        ended = bench.machine.wait_change(change, PATIENCE_S, ("failed",))
        check(ended["error"]["kind"] == "disk_full", f"{ended['error']}")
        check(ended["bytes"]["edge"] == 0, "it fetched before it knew that there is no room")
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        change = bench.machine.api.start("install", PRODUCT, library=str(small))
        bench.machine.wait_change(change, PATIENCE_S)
        bench.machine.check_tree(bench.source["1"])


def disk_that_fills_up_meanwhile():
    """The disk fills up while it installs: disk_full, the old version whole; then it goes on."""
    if os.geteuid() != 0:
        print("  skipped: needs root to mount a small file system")
        return
    with Scope("fills") as scope:
        bench = Bench(scope, 16)
        small = scope.path / "small"
        _mount(scope, small, "size=64m")
        bench.known(options=["--library", small])
        bench.edge.rate_bytes_per_s = 4_000_000
        change = bench.machine.api.start("install", PRODUCT, library=str(small))
        wait_until(lambda: bench.machine.api.change(change)["bytes"]["fetched"] > 2_000_000,
                   PATIENCE_S, "it fetches")
        with open(small / "ballast", "wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(65536)):
                    pass
            except OSError:
                pass  # full
        ended = bench.machine.wait_change(change, PATIENCE_S, ("failed", "waiting", "done"))
        if ended["state"] == "done":  # everything had its room before the ballast came
            print("  staged files had been given their room in advance")
        else:
            check((ended.get("error") or {}).get("kind") == "disk_full", f"{ended}")
            (small / "ballast").unlink()
            bench.edge.rate_bytes_per_s = 0
            change = bench.machine.api.start("install", PRODUCT, library=str(small))
            bench.machine.wait_change(change, PATIENCE_S)
        bench.machine.check_tree(bench.source["1"])


def read_only_library():
    """A library on a read-only file system: the kind says so, before anything is fetched."""
    if os.geteuid() != 0:
        print("  skipped: needs root to mount a read-only file system")
        return
    with Scope("readonly") as scope:
        bench = Bench(scope)
        folder = scope.path / "readonly"
        _mount(scope, folder, "size=64m,ro")
        bench.known(options=["--library", folder])
        bench.edge.forget_counts()
        try:
            change = bench.machine.api.start("install", PRODUCT, library=str(folder))
            ended = bench.machine.wait_change(change, PATIENCE_S, ("failed",))
            kind = ended["error"]["kind"]
        except ApiError as error:
            kind = error.kind
        check(kind == "read_only", f"{kind}, not read_only")
        check(bench.edge.bundle_bytes() == 0, "it fetched for nothing")


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
    if os.geteuid() != 0:
        print("  skipped: needs root to become somebody else")
        return
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


SCENARIOS = [flipped_and_truncated_files, bundles_that_lie, metadata_without_end, expired_metadata,
             older_repository, trees_that_cannot_be_published, corrupt_installed_file,
             file_that_the_user_changed, full_disk, disk_that_fills_up_meanwhile, read_only_library,
             api_requests_that_are_wrong, api_requests_that_are_not_allowed]

if __name__ == "__main__":
    sys.exit(run_scenarios(SCENARIOS, sys.argv[1:]))
