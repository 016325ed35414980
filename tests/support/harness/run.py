"""Processes, waiting, working folders. What is started here ends with the Scope that holds it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


SKIPPED = 77  # the exit code that ctest shows as "skipped"


class Failed(Exception):
    """A check of a test did not hold."""


class Skipped(Exception):
    """A test cannot run here; the text says what it needs."""


def needs_root(what):
    if os.geteuid() != 0:
        raise Skipped(f"needs root to {what}")


def needs_program(name):
    if shutil.which(name) is None:
        raise Skipped(f"needs {name} (scripts/install-deps installs it)")


def check(condition, message):
    if not condition:
        raise Failed(message)


def wait_until(condition, seconds, what, interval=0.05):
    """Waits for condition() to be truthy and returns its value; Failed after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(interval)


def build_folder():
    if os.environ.get("SHOAL_BUILD"):
        return Path(os.environ["SHOAL_BUILD"])
    for name in ("debug", "release"):
        if (ROOT / "build" / name / "bin" / "shoald").exists():
            return ROOT / "build" / name
    return ROOT / "build" / "debug"


def program(name):
    path = build_folder() / "bin" / name
    check(path.exists(), f"{path} is not there; build it first (scripts/test, or SHOAL_BUILD=DIR)")
    return str(path)


class Process:
    """A running program whose output goes to a log file."""

    def __init__(self, arguments, log, namespace=None, environment=None):
        if namespace:
            arguments = ["ip", "netns", "exec", namespace, *arguments]
        # If this script is killed outright, the kernel ends what it started.
        arguments = ["setpriv", "--pdeathsig", "KILL", *arguments]
        self.log = Path(log)
        self.arguments = arguments
        with open(self.log, "ab") as output:
            self.popen = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env={**os.environ, **(environment or {})}, start_new_session=True)

    @property
    def pid(self):
        return self.popen.pid  # of the program itself: setpriv and `ip netns exec` become it

    def running(self):
        return self.popen.poll() is None

    def kill(self):
        if self.running():
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def stop(self, seconds=20):
        """SIGTERM, and a clean end within the time; returns the exit code."""
        if self.running():
            self.popen.terminate()
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.log.stem} did not stop within {seconds} s") from None

    def tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class Scope:
    """A working folder and the processes of one test. On leaving: all killed, the folder removed;
    after a failure the ends of the logs are printed."""

    def __init__(self, name):
        self.name = name
        self.path = Path(tempfile.mkdtemp(prefix=f"shoal-{name}-"))
        self.processes = []
        self.cleanups = []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and os.environ.get("SHOAL_QUIET") != "1":
            for process in {p.log: p for p in self.processes}.values():
                print(f"--- {process.log}\n{process.tail()}", file=sys.stderr)
        for process in reversed(self.processes):
            process.kill()
        for cleanup in reversed(self.cleanups):
            cleanup()
        if os.environ.get("SHOAL_KEEP") == "1":
            print(f"kept: {self.path}", file=sys.stderr)
        else:
            shutil.rmtree(self.path, ignore_errors=True)

    @staticmethod
    def address(number):
        """One of 254 loopback addresses that no other test running now has."""
        pid = os.getpid()
        return f"127.{1 + pid // 256 % 254}.{pid % 256}.{number}"

    def start(self, arguments, log_name, namespace=None, environment=None):
        process = Process(arguments, self.path / log_name, namespace, environment)
        self.processes.append(process)
        return process


def run(arguments, namespace=None, expect=0, environment=None, timeout=600):
    """Runs to the end and returns (stdout, stderr); Failed when the exit code is another."""
    arguments = [str(a) for a in arguments]
    if namespace:
        arguments = ["ip", "netns", "exec", namespace, *arguments]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=timeout, check=False,
                          env={**os.environ, **(environment or {})}, stdin=subprocess.DEVNULL)
    check(expect is None or done.returncode == expect,
          f"{' '.join(arguments)}: exit {done.returncode}, not {expect}\n"
          f"{done.stdout}{done.stderr}")
    return done.stdout, done.stderr


def run_scenarios(scenarios, arguments):
    """Runs the scenario functions named (all when none are); prints a verdict each; exit code:
    SKIPPED when none could run here."""
    names = [a for a in arguments if not a.startswith("-")]
    by_name = {s.__name__: s for s in scenarios}
    if "--list" in arguments:
        for scenario in scenarios:
            print(f"{scenario.__name__:32} {(scenario.__doc__ or '').splitlines()[0]}")
        return 0
    for name in names:
        if name not in by_name:
            print(f"there is no scenario '{name}'; --list shows them", file=sys.stderr)
            return 2
    failed, skipped = [], []
    for name in names or by_name:
        started = time.monotonic()
        print(f"=== {name}: {(by_name[name].__doc__ or '').splitlines()[0]}", flush=True)
        try:
            by_name[name]()
            verdict = "ok"
        except Failed as error:
            verdict = f"FAILED: {error}"
            failed.append(name)
        except Skipped as why:
            verdict = f"skipped: {why}"
            skipped.append(name)
        print(f"=== {name}: {verdict} ({time.monotonic() - started:.1f} s)", flush=True)
    if failed:
        print(f"failed: {' '.join(failed)}")
        return 1
    return SKIPPED if len(skipped) == len(names or by_name) else 0
