#!/usr/bin/env python3
"""A stock BitTorrent client, Debian's qbittorrent-nox, on both sides of shoald: it seeds the image
that `shoal-publish image` writes to a daemon whose edge has no bundles, and then, with that seed
gone, another one leeches the image from the daemon, which has only the installed tree.

    stock_client.py

Needs qbittorrent-nox (77: it is not there). Everything talks on loopback addresses.
"""

import shutil
import sys
import urllib.request
import uuid
from json import loads
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.run import (Scope, check, needs_program, program, run, run_scenarios,  # noqa: E402
                         wait_until)
from harness.world import PRODUCT, Machine, Repository, print_table  # noqa: E402

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


def edge_without_bundles(scope, repository, address):
    """Serves the signed files alone, so that every byte of content has to come from a peer."""
    folder = scope.path / "edge"
    shutil.copytree(repository.path, folder, ignore=shutil.ignore_patterns("bundles"))
    scope.start([program("shoal-publish"), "serve", str(folder), "--listen", f"{address}:8080"],
                "serve.log")
    return f"http://{address}:8080"


def stock_client():
    """A stock client seeds to the daemon, then leeches from it."""
    needs_program("qbittorrent-nox")
    with Scope("stock") as scope:
        host = scope.address(1)
        source = scope.path / "source"
        trees.make_tree(source, 32)
        scope.start([program("shoal-tracker"), "--listen", f"{host}:6969", "--open", "--interval",
                     "5", "--first-interval", "2"], "tracker.log")
        repository = Repository(scope, [f"http://{host}:6969/announce"])
        repository.release(source, "1")
        edge = edge_without_bundles(scope, repository, host)
        [torrent] = (repository.path / "targets").rglob("*.torrent")

        seed = StockClient(scope, "seed", scope.address(2))
        image = seed.downloads / f"{PRODUCT}-1-base.image"
        run([program("shoal-publish"), "image", repository.path, "--product", PRODUCT, "--version",
             "1", "-o", image])
        seed.add(torrent)
        seed.wait_complete()
        machine = Machine(scope, "m1", scope.address(3)).start().wait_ready()
        machine.add_repository(edge, repository.root())
        change = machine.wait_change(machine.api.start("install", PRODUCT), PATIENCE_S)
        machine.check_tree(source)
        check(change["bytes"]["edge"] == 0, "every byte came from the stock client")
        print_table([("m1", change)])

        seed.process.stop()
        leech = StockClient(scope, "leech", scope.address(4))
        leech.add(torrent)
        leech.wait_complete()
        check(trees.same_bytes(image, leech.downloads / image.name),
              "the leeched image is another")
        print("leeched the whole image from shoald")


if __name__ == "__main__":
    sys.exit(run_scenarios([stock_client], sys.argv[1:]))
