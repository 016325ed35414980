"""Signs what no publisher would: a product's release.json, changed by hand and then signed with the
repository's own keys, as somebody could who has stolen them or wrote a publisher of their own.
Follows docs/formats/repository.md; openssl does the Ed25519."""

import hashlib
import json
import subprocess
import tempfile
from pathlib import Path

# RFC 8410: the fixed beginning of a PKCS #8 Ed25519 private key, before the 32 bytes of the seed.
PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")


def _canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _sign(data, key_file):
    seed = bytes.fromhex(json.loads(Path(key_file).read_text())["secret"])
    with tempfile.TemporaryDirectory() as folder:
        key, message = Path(folder) / "key.der", Path(folder) / "message"
        key.write_bytes(PKCS8_ED25519 + seed)
        message.write_bytes(data)
        done = subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey",
                               key, "-in", message], capture_output=True, check=True)
    return done.stdout.hex()


def _numbered(folder, name):
    """The newest N.name and its N."""
    files = [(int(f.name.split(".")[0]), f) for f in folder.glob(f"*.{name}")]
    return max(files)


class Forger:
    def __init__(self, repository):
        self.metadata = repository.path / "metadata"
        self.targets = repository.path / "targets"
        self.keys = repository.keys

    def _sign_role(self, document, key):
        signed = document["signed"]
        document["signatures"][0]["sig"] = _sign(_canonical(signed), self.keys / f"{key}.key")
        return _canonical(document)

    @staticmethod
    def _entry(data, version=None):
        entry = {"length": len(data), "hashes": {"sha256": hashlib.sha256(data).hexdigest()}}
        return {**entry, "version": version} if version else entry

    def change_release(self, product, version, change):
        """Calls change(release) with the parsed release.json, then signs all that follows."""
        number, file = _numbered(self.metadata, f"{product}.json")
        role = json.loads(file.read_text())
        target = f"{product}/{version}/release.json"
        old = role["signed"]["targets"][target]["hashes"]["sha256"]
        folder = self.targets / product / version
        release = json.loads((folder / f"{old}.release.json").read_text())
        change(release)
        data = _canonical(release)
        entry = self._entry(data)
        (folder / f"{entry['hashes']['sha256']}.release.json").write_bytes(data)
        role["signed"]["targets"][target].update(entry)
        role["signed"]["version"] = number + 1
        data = self._sign_role(role, "products")
        (self.metadata / f"{number + 1}.{product}.json").write_bytes(data)
        self._sign_snapshot(f"{product}.json", self._entry(data, number + 1))

    def _sign_snapshot(self, name, entry):
        number, file = _numbered(self.metadata, "snapshot.json")
        snapshot = json.loads(file.read_text())
        snapshot["signed"]["meta"][name] = entry
        snapshot["signed"]["version"] = number + 1
        data = self._sign_role(snapshot, "snapshot")
        (self.metadata / f"{number + 1}.snapshot.json").write_bytes(data)
        file = self.metadata / "timestamp.json"
        timestamp = json.loads(file.read_text())
        timestamp["signed"]["meta"]["snapshot.json"] = self._entry(data, number + 1)
        timestamp["signed"]["version"] += 1
        file.write_bytes(self._sign_role(timestamp, "timestamp"))
