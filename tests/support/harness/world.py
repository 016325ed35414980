"""A publisher's repository and client machines, as scenarios use them."""

import json
from pathlib import Path

from . import trees
from .api import Api, ENDED
from .run import Failed, check, program, run, wait_until

PRODUCT = "demo"


class Repository:
    """A repository on disk with its keys."""

    def __init__(self, scope, trackers=(), mirrors=()):
        self.path = scope.path / "repository"
        self.keys = scope.path / "keys"
        self.trackers = list(trackers)
        run([program("shoal-publish"), "init", self.path, "--keys", self.keys, "--no-passphrase",
             *[word for url in mirrors for word in ("--mirror", url)]])

    def release(self, tree, version, channels=("stable",), product=PRODUCT, more=()):
        arguments = [program("shoal-publish"), "release", self.path, tree, "--product", product,
                     "--version", version, "--keys", self.keys, *more]
        for channel in channels:
            arguments += ["--channel", channel]
        for tracker in self.trackers:
            arguments += ["--tracker", tracker]
        return run(arguments)[0]

    def channel(self, version, channel="stable", product=PRODUCT):
        run([program("shoal-publish"), "channel", self.path, "--product", product, "--channel",
             channel, "--version", version, "--keys", self.keys])

    def root(self):
        return (self.path / "metadata" / "1.root.json").read_text()

    def bundle_bytes(self):
        return sum(f.stat().st_size for f in (self.path / "bundles").rglob("*") if f.is_file())


class Machine:
    """One client machine: a daemon with its state and library."""

    def __init__(self, scope, name, address="127.0.0.1", port=6881, namespace=None, options=(),
                 consent="granted", library=None):
        self.scope = scope
        self.name = name
        self.namespace = namespace
        self.folder = scope.path / name
        self.folder.mkdir()
        self.library = library or self.folder / "library"
        self.socket = self.folder / "api.sock"
        self.api = Api(self.socket)
        host = f"[{address}]" if ":" in address else address
        self.arguments = [
            program("shoald"), "--state", self.folder / "state", "--socket", self.socket,
            "--library", self.library, "--listen", f"{host}:{port}", "--outgoing", address,
            "--consent", consent, "--upnp", "false", "--lan-discovery", "false", "--utp", "false",
            "--log-level", "debug", *options]
        self.process = None

    def start(self, environment=None):
        self.process = self.scope.start([str(a) for a in self.arguments], f"{self.name}.log",
                                        self.namespace, environment)
        return self

    def wait_ready(self, seconds=30):
        def ready():
            check(self.process.running(),
                  f"{self.name}: shoald ended ({self.process.popen.returncode})\n"
                  f"{self.process.tail()}")
            return self.api.answers()
        wait_until(ready, seconds, f"{self.name}: the API answers")
        return self

    def add_repository(self, url, root):
        self.api.add_repository(url, root)
        return self

    def wait_change(self, change_id, seconds, states=("done",)):
        """Waits until the change is in one of the states; Failed when it ends in another."""
        def reached():
            change = self.api.change(change_id)
            if change["state"] in states:
                return change
            if change["state"] in ENDED:
                raise Failed(f"{self.name}: {change['kind']} ended as {change['state']}: "
                             f"{json.dumps(change.get('error'))}")
            return None
        try:
            return wait_until(reached, seconds, f"{self.name}: change is {' or '.join(states)}")
        except Failed as error:
            if "not within" not in str(error):
                raise
            raise Failed(f"{error}; it is: {json.dumps(self.api.change(change_id))}") from None

    def tree(self, product=PRODUCT):
        for install in self.api.installs():
            if install["product"] == product:
                return Path(install["path"])
        raise Failed(f"{self.name}: {product} is not installed")

    def check_tree(self, source, product=PRODUCT):
        found = trees.differences(source, self.tree(product))
        check(not found, f"{self.name}: the installed tree differs: " + "; ".join(found))


def print_table(rows):
    """rows: (machine, change). Bytes in MB."""
    print(f"{'machine':12} {'change':8} {'edge MB':>9} {'peers MB':>9} {'reused MB':>10} "
          f"{'written MB':>11} {'seconds':>8}")
    total_edge = total_peers = 0
    for name, change in rows:
        counts = change["bytes"]
        total_edge += counts["edge"]
        total_peers += counts["peers"]
        print(f"{name:12} {change['kind']:8} {counts['edge'] / 1e6:9.1f} "
              f"{counts['peers'] / 1e6:9.1f} {counts['reused'] / 1e6:10.1f} "
              f"{counts['written'] / 1e6:11.1f} {change['seconds']:8.1f}")
    delivered = total_edge + total_peers
    share = total_peers / delivered if delivered else 0.0
    print(f"offload: peers delivered {share:.0%} of {delivered / 1e6:.1f} MB", flush=True)
