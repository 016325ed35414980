#!/usr/bin/env python3
"""Makes two synthetic game updates, each a folder OLD and a folder NEW with one pak, or several
of --mb each:

    bench/delta/paks.py FOLDER [--mb 244] [--seed 1] [--paks 1] [--only plain|deflated]

FOLDER/plain/{old,new}/game.pak holds assets as they are, FOLDER/deflated/… the same assets, each
compressed by zlib. Between the versions 5 % of the assets are edited, 2 % are added, and a block of
a tenth of them has moved. A pak is a header (magic, count), a directory (offset, stored size, plain
size of each asset), and the assets, each at a multiple of 16. Everything follows from the seed.
"""

import argparse
import random
import struct
import zlib
from pathlib import Path

ASSET_BYTES = (8 << 10, 512 << 10)   # smallest and largest
LEVEL = 6                            # zlib's, as engines have it


def asset(rng):
    """Half noise, half structured numbers, so that it compresses about two to one, as assets do."""
    size = rng.randrange(*ASSET_BYTES)
    words = [rng.randbytes(8) for _ in range(256)]
    parts, have = [], 0
    while have < size:
        part = rng.randbytes(64) if rng.random() < 0.25 else b"".join(rng.choices(words, k=16))
        parts.append(part)
        have += len(part)
    return b"".join(parts)[:size]


def edited(rng, data):
    """A few bytes changed, inserted and deleted in one place each."""
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(data))
        data = data[:at] + rng.randbytes(rng.randrange(1, 200)) + data[at + rng.randrange(200):]
    return data


def next_version(rng, assets):
    fresh = [edited(rng, one) if rng.random() < 0.05 else one for one in assets]
    for _ in range(len(assets) * 2 // 100):
        fresh.insert(rng.randrange(len(fresh)), asset(rng))
    count = len(fresh) // 10
    begin = rng.randrange(len(fresh) - count)
    block, rest = fresh[begin:begin + count], fresh[:begin] + fresh[begin + count:]
    to = rng.randrange(len(rest))
    return rest[:to] + block + rest[to:]


def write_pak(path, assets, deflate):
    path.parent.mkdir(parents=True, exist_ok=True)
    offset = 16 + 24 * len(assets)
    directory, bodies = [], []
    for one in assets:
        body = zlib.compress(one, LEVEL) if deflate else one
        padding = -offset % 16
        offset += padding
        directory.append(struct.pack("<QQQ", offset, len(body), len(one)))
        bodies += [bytes(padding), body]
        offset += len(body)
    with open(path, "wb") as out:
        out.write(struct.pack("<8sQ", b"EXAMPLE\0", len(assets)))
        out.writelines(directory)
        out.writelines(bodies)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mb", type=int, default=244)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--paks", type=int, default=1)
    parser.add_argument("--only", choices=("plain", "deflated"))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    for number in range(options.paks):
        old, size = [], 0
        while size < options.mb * 1_000_000:
            old.append(asset(rng))
            size += len(old[-1])
        new = next_version(rng, old)
        pak = f"game{number or ''}.pak"
        for name in [options.only] if options.only else ("plain", "deflated"):
            write_pak(options.folder / name / "old" / pak, old, name == "deflated")
            write_pak(options.folder / name / "new" / pak, new, name == "deflated")


if __name__ == "__main__":
    main()
