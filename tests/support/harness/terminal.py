"""A program on a terminal of its own: what it shows, what is typed, how it leaves the terminal."""

import json
import os
import select
import signal
import subprocess
import sys
import termios
import time

from .run import Failed, wait_until

# The session's leader, as a shell is one: a terminal whose leader ends is reset, which would hide
# what the program did to it. The program runs in the foreground; its end is reported on fd 3.
LEADER = """
import fcntl, json, os, signal, subprocess, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
def to_foreground():
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
child = subprocess.Popen(json.loads(sys.argv[1]), preexec_fn=to_foreground)
os.write(3, f"{child.pid}\\n".encode())
os.write(3, f"{child.wait()}\\n".encode())
signal.pause()
"""


class Terminal:
    """One program until its end; use as a context."""

    def __init__(self, arguments, folder, environment=None, typed_ahead=""):
        self.master, self.slave = os.openpty()
        self.type(typed_ahead)
        read_end, write_end = os.pipe()
        self.reports = os.fdopen(read_end)
        command = [sys.executable, "-c", LEADER, json.dumps([str(word) for word in arguments])]
        shell = f"exec 3>&{write_end}; exec \"$@\""
        self.leader = subprocess.Popen(
            # If this script is killed outright, the kernel ends what it started.
            ["setpriv", "--pdeathsig", "KILL", "bash", "-c", shell, "bash", *command],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, cwd=folder,
            pass_fds=(write_end,),
            env=environment if environment is not None else dict(os.environ))
        os.close(write_end)
        self.shown = ""
        self.pid = int(self.reports.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in (self.pid, self.leader.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.leader.wait()
        self.reports.close()
        os.close(self.master)
        os.close(self.slave)

    def _read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.shown += os.read(self.master, 65536).decode(errors="replace")

    def expect(self, text, seconds=60):
        """Waits until the text was shown, and forgets everything up to its end."""
        deadline = time.monotonic() + seconds
        while text not in self.shown:
            if time.monotonic() > deadline:
                raise Failed(f"'{text}' was not shown within {seconds} s, but:\n{self.shown}")
            self._read(0.1)
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, text):
        os.write(self.master, text.encode())

    def echoes(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def state(self):
        """As in /proc: S sleeps, T is stopped, …"""
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0]

    def wait_stopped(self, seconds=30):
        wait_until(lambda: self.state() == "T", seconds, "the program stops")

    def bring_back(self):
        """What `fg` does."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self, seconds=60):
        """The exit code, negative for a signal, and all that was shown and not yet expected."""
        deadline = time.monotonic() + seconds
        while not select.select([self.reports], [], [], 0)[0]:
            if time.monotonic() > deadline:
                raise Failed(f"it did not end within {seconds} s:\n{self.shown}")
            self._read(0.05)
        while select.select([self.master], [], [], 0)[0]:
            self._read(0)
        return int(self.reports.readline()), self.shown
