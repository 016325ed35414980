#!/usr/bin/env python3
"""A stock BitTorrent client, Debian's qbittorrent-nox, on both sides of shoald: it seeds the image
that `shoal-publish image` writes to a daemon whose edge has no bundles, and then, with that seed
gone, another one leeches the image from the daemon, which has only the installed tree.

    stock_client.py

Needs qbittorrent-nox. Everything talks on loopback addresses.
"""

import shutil
import sys
import urllib.request
import uuid
from json import loads
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.run import Failed, Scope, check, program, run, wait_until  # noqa: E402
from harness.world import PRODUCT, Machine, Repository, print_table  # noqa: E402

HOST = "127.0.0.70"  # edge and tracker
PATIENCE_S = 90
SETTINGS = r"""[BitTorrent]
Session\InterfaceName=lo
Session\Interface=lo
Session\InterfaceAddress={address}
Session\Port=7200
Session\DHTEnabled=false
Session\LSDEnabled=false
Session\PeXEnabled=false
[LegalNotice]
Accepted=true
[Preferences]
Connection\UPnP=false
WebUI\Address={address}
WebUI\Port=7280
WebUI\LocalHostAuth=false
"""


class StockClient:
    """One qbittorrent-nox with a profile of its own."""

    def __init__(self, scope, name, address):
        self.url = f"http://{address}:7280/api/v2"
        self.downloads = scope.path / name / "downloads"
        self.downloads.mkdir(parents=True)
        settings = scope.path / name / "qBittorrent" / "config" / "qBittorrent.conf"
        settings.parent.mkdir(parents=True)
        settings.write_text(SETTINGS.format(address=address))
        self.process = scope.start(["qbittorrent-nox", f"--profile={scope.path / name}"],
                                   f"{name}.log")
        wait_until(self._answers, PATIENCE_S, f"{name} answers")

    def _answers(self):
        try:
            with urllib.request.urlopen(f"{self.url}/app/version", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def add(self, torrent):
        boundary = uuid.uuid4().hex
        parts = [f'--{boundary}\r\nContent-Disposition: form-data; name="savepath"\r\n\r\n'
                 f"{self.downloads}\r\n".encode(),
                 f'--{boundary}\r\nContent-Disposition: form-data; name="torrents"; '
                 f'filename="image.torrent"\r\nContent-Type: application/x-bittorrent\r\n\r\n'
                 .encode(), torrent.read_bytes(), f"\r\n--{boundary}--\r\n".encode()]
        request = urllib.request.Request(
            f"{self.url}/torrents/add", data=b"".join(parts),
            headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            check(answer.read() == b"Ok.", "the stock client takes the torrent")

    def wait_complete(self):
        def complete():
            with urllib.request.urlopen(f"{self.url}/torrents/info", timeout=5) as answer:
                return any(t["progress"] == 1 for t in loads(answer.read()))
        wait_until(complete, PATIENCE_S, "the stock client has the whole image")


def edge_without_bundles(scope, repository):
    """Serves the signed files alone, so that every byte of content has to come from a peer."""
    folder = scope.path / "edge"
    shutil.copytree(repository.path, folder, ignore=shutil.ignore_patterns("bundles"))
    scope.start([program("shoal-publish"), "serve", str(folder), "--listen", f"{HOST}:8080"],
                "serve.log")


def stock_client():
    with Scope("stock") as scope:
        source = scope.path / "source"
        trees.make_tree(source, 32)
        scope.start([program("shoal-tracker"), "--listen", f"{HOST}:6969", "--open", "--interval",
                     "5", "--first-interval", "2"], "tracker.log")
        repository = Repository(scope, [f"http://{HOST}:6969/announce"])
        repository.release(source, "1")
        edge_without_bundles(scope, repository)
        [torrent] = (repository.path / "targets").rglob("*.torrent")

        seed = StockClient(scope, "seed", "127.0.0.71")
        image = seed.downloads / f"{PRODUCT}-1-base.image"
        run([program("shoal-publish"), "image", repository.path, "--product", PRODUCT, "--version",
             "1", "-o", image])
        seed.add(torrent)
        seed.wait_complete()
        machine = Machine(scope, "m1", "127.0.0.72").start().wait_ready()
        machine.add_repository(f"http://{HOST}:8080", repository.root())
        change = machine.wait_change(machine.api.start("install", PRODUCT), PATIENCE_S)
        machine.check_tree(source)
        check(change["bytes"]["edge"] == 0, "every byte came from the stock client")
        print_table([("m1", change)])

        seed.process.stop()
        check(not seed.process.running(), "the stock seed is gone")
        leech = StockClient(scope, "leech", "127.0.0.73")
        leech.add(torrent)
        leech.wait_complete()
        check(trees.same_bytes(image, leech.downloads / image.name),
              "the leeched image is the same")
        print("leeched the whole image from shoald")


def main():
    if shutil.which("qbittorrent-nox") is None:
        print("skipped: there is no qbittorrent-nox (scripts/install-deps installs it)")
        return 77
    try:
        stock_client()
    except Failed as error:
        print(f"FAILED: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
