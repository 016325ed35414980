"""Trees to publish, and the comparison that decides whether an install equals its source."""

import os
import random
import shutil
import stat
from pathlib import Path


def _random_bytes(rng, size):
    """rng.randbytes takes less than 256 MiB at a time."""
    step = 128 << 20
    return b"".join(rng.randbytes(min(step, size - at)) for at in range(0, size, step))


def make_tree(path, megabytes, seed=1, compressible=0.0):
    """A tree of a few large and many small files, with links, empty files and empty folders. Of the
    bytes, the given share is text-like; the rest does not compress."""
    rng = random.Random(seed)
    path = Path(path)
    total = megabytes << 20

    def content(size):
        plain = int(size * compressible)
        words = b"".join(rng.choice((b"shoal ", b"piece ", b"frame ", b"edge\n"))
                         for _ in range(min(plain, 4096) // 5 + 1))
        return (words * (plain // len(words) + 1))[:plain] + _random_bytes(rng, size - plain)

    def write(name, data, executable=False):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o755 if executable else 0o644)

    write("bin/game", content(300_001), executable=True)
    write("empty", b"")
    (path / "saves").mkdir(parents=True, exist_ok=True)
    (path / "bin/latest").symlink_to("game")
    small = max(8, megabytes * 2)
    for i in range(small):
        write(f"data/small/{i % 7}/file{i:04}.dat", content(rng.randrange(1, 60_000)))
    written = sum(f.stat().st_size for f in path.rglob("*") if f.is_file() and not f.is_symlink())
    large = 5
    for i in range(large):
        size = max(0, (total - written) // (large - i))
        write(f"data/level{i}.pak", content(size))
        written += size
    return path


def edit_tree(old, new, seed=2):
    """A second version: files renamed and moved, edited in the middle, grown, removed, added."""
    rng = random.Random(seed)
    old, new = Path(old), Path(new)
    shutil.copytree(old, new, symlinks=True)
    (new / "data/small/0").rename(new / "data/renamed")
    (new / "data/level0.pak").rename(new / "data/moved-level.pak")
    level = new / "data/level1.pak"
    data = bytearray(level.read_bytes())
    middle = len(data) // 2
    data[middle:middle] = rng.randbytes(10_000)  # everything behind it moves
    level.write_bytes(data)
    level = new / "data/level2.pak"
    data = bytearray(level.read_bytes())
    data[len(data) // 3:len(data) // 3 + 1000] = rng.randbytes(1000)
    level.write_bytes(data)
    (new / "data/level3.pak").unlink()
    (new / "data/level5.pak").write_bytes(rng.randbytes((old / "data/level3.pak").stat().st_size))
    (new / "bin/game").chmod(0o644)
    (new / "bin/game2").write_bytes((old / "bin/game").read_bytes())
    (new / "bin/game2").chmod(0o755)
    (new / "bin/latest").unlink()
    (new / "bin/latest").symlink_to("game2")
    (new / "saves").rmdir()
    (new / "mods").mkdir()
    return new


def describe(path):
    """What counts of a tree: {relative path: (type, …)}."""
    path = Path(path)
    found = {}
    for folder, folders, files in os.walk(path):
        here = Path(folder)
        for name in [*folders, *files]:
            item = here / name
            key = str(item.relative_to(path))
            status = item.lstat()
            if stat.S_ISLNK(status.st_mode):
                found[key] = ("link", os.readlink(item))
            elif stat.S_ISDIR(status.st_mode):
                if not any(item.iterdir()):
                    found[key] = ("empty folder",)
            elif stat.S_ISREG(status.st_mode):
                found[key] = ("file", status.st_size, bool(status.st_mode & stat.S_IXUSR))
            else:
                found[key] = ("other",)
    return found


def same_bytes(a, b):
    with open(a, "rb") as one, open(b, "rb") as two:
        while True:
            left, right = one.read(1 << 20), two.read(1 << 20)
            if left != right:
                return False
            if not left:
                return True


def differences(source, installed, limit=10):
    """Lines that say how the installed tree differs from its source; empty when it does not."""
    want, have = describe(source), describe(installed)
    lines = [f"missing: {name}" for name in want if name not in have]
    lines += [f"not in the source: {name}" for name in have if name not in want]
    for name, entry in want.items():
        if name not in have:
            continue
        if have[name] != entry:
            lines.append(f"{name}: {have[name]}, not {entry}")
        elif entry[0] == "file" and not same_bytes(Path(source) / name, Path(installed) / name):
            lines.append(f"{name}: other bytes")
    return lines[:limit]


def total_bytes(path):
    return sum(entry[1] for entry in describe(path).values() if entry[0] == "file")
