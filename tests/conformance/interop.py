#!/usr/bin/env python3
"""A repository made by shoal-publish, read by another implementation of TUF: python-tuf's client
(packages `tuf`, `securesystemslib`, `cryptography`), wherever Python finds it. Exit 77, which
counts as skipped, when it is not installed.

    interop.py [SCENARIO]...
"""

import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
from harness import trees  # noqa: E402
from harness.run import Failed, Scope, check, program, run, run_scenarios  # noqa: E402
from harness.world import PRODUCT, Repository  # noqa: E402

SKIPPED = 77

try:
    from tuf.api.exceptions import DownloadHTTPError, RepositoryError
    from tuf.ngclient import FetcherInterface, Updater
except ImportError as missing:
    print(f"skipped: no python-tuf here ({missing})")
    sys.exit(SKIPPED)


class FolderFetcher(FetcherInterface):
    """The repository's folder as if a web server stood before it."""

    def __init__(self, folder):
        self.folder = folder

    def _fetch(self, url):
        path = self.folder / url.removeprefix("http://repository/")
        if not path.is_file():
            raise DownloadHTTPError(f"{url}: not there", 404)
        yield path.read_bytes()

    def fetch(self, url):
        return self._fetch(url)


class Client:
    """A python-tuf client with its own folders, which trusts the repository's first root."""

    def __init__(self, scope, repository):
        self.repository = repository
        self.metadata = scope.path / "client-metadata"
        self.targets = scope.path / "client-targets"
        self.metadata.mkdir()
        self.targets.mkdir()
        (self.metadata / "root.json").write_text(repository.root())

    def cycle(self):
        updater = Updater(str(self.metadata), "http://repository/metadata/", str(self.targets),
                          "http://repository/targets/", FolderFetcher(self.repository.path))
        updater.refresh()
        return updater

    def read(self, updater, path):
        info = updater.get_targetinfo(path)
        check(info is not None, f"python-tuf finds no target {path}")
        file = self.targets / path.replace("/", "_")
        updater.download_target(info, str(file))
        return file.read_bytes()

    def read_release(self, updater, version):
        self.read(updater, "repository.json")
        channels = self.read(updater, f"{PRODUCT}/channels.json").decode()
        check(f'"{version}"' in channels, f"channels.json does not name {version}: {channels}")
        for name in ("release.json", "base.torrent", "base.index", "base.recipes"):
            self.read(updater, f"{PRODUCT}/{version}/{name}")


def _published(scope):
    tree = trees.make_tree(scope.path / "v1", 2)
    repository = Repository(scope)
    repository.release(tree, "1")
    return repository, tree


def reads_every_signed_file():
    """All files of a release, then of the next, by a client that keeps its metadata."""
    with Scope("interop") as scope:
        repository, tree = _published(scope)
        client = Client(scope, repository)
        client.read_release(client.cycle(), "1")
        (tree / "new-file").write_text("new")
        repository.release(tree, "2")
        client.read_release(client.cycle(), "2")


def reads_several_products():
    """Delegations lead each product's targets to its own role."""
    with Scope("interop") as scope:
        repository, tree = _published(scope)
        repository.release(tree, "7", product="other")
        client = Client(scope, repository)
        updater = client.cycle()
        client.read(updater, "other/7/release.json")
        client.read_release(updater, "1")
        check(updater.get_targetinfo("nobody/1/release.json") is None, "a target from nowhere")


def refuses_what_was_changed():
    """Sanity of the test itself: one byte of any signed file, and it is refused."""
    with Scope("interop") as scope:
        repository, _ = _published(scope)
        whole = repository.path
        for name in ("metadata/timestamp.json", "targets/*.repository.json"):
            repository.path = scope.path / "changed"
            shutil.copytree(whole, repository.path)
            file = next(repository.path.glob(name))
            data = bytearray(file.read_bytes())
            data[len(data) // 2] ^= 1
            file.write_bytes(data)
            client = Client(scope, repository)
            try:
                client.read(client.cycle(), "repository.json")
            except RepositoryError:
                pass
            else:
                raise Failed(f"{name} was changed, and nobody noticed")
            for folder in (repository.path, client.metadata, client.targets):
                shutil.rmtree(folder)


def refreshed_metadata_is_followed():
    """`shoal-publish refresh` signs the online roles anew; the client goes along."""
    with Scope("interop") as scope:
        repository, _ = _published(scope)
        client = Client(scope, repository)
        client.read_release(client.cycle(), "1")
        run([program("shoal-publish"), "refresh", repository.path, "--keys", repository.keys])
        client.read_release(client.cycle(), "1")


if __name__ == "__main__":
    sys.exit(run_scenarios(
        [reads_every_signed_file, reads_several_products, refuses_what_was_changed,
         refreshed_metadata_is_followed], sys.argv[1:]))
