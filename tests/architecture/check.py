#!/usr/bin/env python3
"""Holds the source tree against the project's architecture: who may use whom, where third-party
headers may appear, and the shape of files. Prints every violation with what to do about it.

    check.py ROOT

The table below is the one in docs/architecture.md; change both, with the reason, or neither.
"""

import re
import sys
from pathlib import Path

# Module -> what it may include besides itself. The value is a set of modules.
MAY_USE = {
    "base": set(),
    "trust": {"base"},
    "content": {"base"},
    "delta": {"base", "content"},
    "store": {"base"},
    "protocol": {"base"},
    "http": {"base"},
    "transfer": {"base", "content"},
    "install": {"base", "content", "delta", "transfer"},
    "edge": {"base", "content", "transfer", "trust"},
    "swarm": {"base", "content", "transfer"},
    "publish": {"base", "trust", "content", "delta", "http"},
    "agent": {"base", "trust", "content", "install", "transfer", "store"},
    "api": {"base", "agent", "protocol", "http"},
    "client": {"base", "protocol"},
    "cli/usage": {"base"},
    "cli/shoal": {"cli/usage", "client", "protocol", "base"},
    "cli/shoal-publish": {"cli/usage", "publish", "trust", "content", "http", "base"},
    "tracker": {"base", "protocol", "http", "content"},
}
LIBRARY = {name for name in MAY_USE if "/" not in name and name != "tracker"}
MAY_USE["daemon"] = set(LIBRARY)  # it composes them all

# Of these, other modules use the interfaces only: module -> used module -> its headers.
ONLY_HEADERS = {
    "edge": {
        "transfer": {"edge.hpp", "image_store.hpp", "pieces.hpp", "swarm.hpp"},
        "trust": {"fetcher.hpp", "limits.hpp"},
    },
    "install": {"transfer": {"image_store.hpp", "pieces.hpp"}},
}

# Third-party headers that one module hides from all others: prefix -> module.
OWNED = {"sqlite3": "store", "curl/": "edge", "libtorrent/": "swarm", "lzma.h": "delta",
         "divsufsort.h": "delta", "zlib.h": "delta"}

# Headers that cost seconds to compile: in .cpp files, and in headers that stay within their module.
HEAVY = ("libtorrent/", "boost/asio", "boost/beast", "nlohmann/", "CLI/", "toml++/", "curl/",
         "base/asio.hpp", "base/beast.hpp")
LIGHT = ("nlohmann/json_fwd.hpp", "boost/asio/io_context_fwd.hpp")

MAX_LINES = 500
MAX_COLUMNS = 100
SOURCES = ("lib", "daemon", "cli", "tracker", "tests", "bench", "examples")
TOOLS = ("scripts", ".ci")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
MODULE_LINE = re.compile(r"shoal_module\(NAME\s+(\w+)([^)]*)\)")


def module_of(path):
    """The module a file belongs to, by its path beneath the root; None for tests and others."""
    parts = path.parts
    if parts[0] == "lib" and len(parts) > 2:
        return parts[1]
    if parts[0] == "cli" and len(parts) > 2:
        return f"cli/{parts[1]}"
    if parts[0] in ("daemon", "tracker"):
        return parts[0]
    return None


def check_include(path, line, header):
    """Violations of one #include, as messages."""
    module = module_of(path)
    if header == "boost/asio.hpp" and module and not str(path).startswith("lib/base/"):
        yield f'{path}:{line}: include "base/asio.hpp" instead of <{header}> (Boost 1.74 needs it)'
    if not module:
        return
    for prefix, owner in OWNED.items():
        if header.startswith(prefix) and module != owner:
            yield (f"{path}:{line}: only lib/{owner} may include <{header}>; ask for what you need "
                   f"through an interface that lib/{owner} implements")
    used = header.split("/")[0]
    if "/" not in header or used not in LIBRARY | {"tracker"} or used == module:
        return
    if module not in MAY_USE:
        yield (f"{path}:{line}: module '{module}' is not in the table; add it to MAY_USE in "
               "tests/architecture/check.py and to docs/architecture.md")
        return
    if used not in MAY_USE[module]:
        allowed = ", ".join(sorted(MAY_USE[module])) or "nothing of ours"
        yield (f"{path}:{line}: '{module}' may not use '{used}' (\"{header}\"); it may use: "
               f"{allowed}. Turn the need into an interface that '{module}' owns, or move the code")
    only = ONLY_HEADERS.get(module, {}).get(used)
    if only and header.split("/", 1)[1] not in only:
        yield (f"{path}:{line}: '{module}' may use of '{used}' its interfaces only "
               f"({', '.join(sorted(only))}), not \"{header}\"")


def check_heavy(includes):
    """Heavy headers that travel: a header of one module, included by another, that brings one in.
    `includes` maps each file to the (line, header) pairs it includes."""
    brings = {}  # header of ours, as others include it -> the heavy one it brings in

    def heavy_in(path):
        name = "/".join(path.parts[1:])
        if name not in brings:
            brings[name] = None  # ends a cycle
            for _, header in includes.get(path, ()):
                own = Path("lib") / header
                if header.startswith(HEAVY) and not header.startswith(LIGHT):
                    brings[name] = header
                elif own in includes and heavy_in(own):
                    brings[name] = heavy_in(own)
        return brings[name]

    for path, pairs in includes.items():
        for line, header in pairs:
            target = Path("lib") / header
            if (not module_of(path) or target not in includes or header.startswith(HEAVY)
                    or module_of(path) == module_of(target)):
                continue
            if heavy_in(target):
                yield (f"{path}:{line}: \"{header}\" brings the heavy <{heavy_in(target)}> into "
                       f"'{module_of(path)}'; include it in a .cpp of '{module_of(target)}' and "
                       "forward-declare, or hide it behind a struct Impl")


def includes_of(lines):
    for number, text in enumerate(lines, 1):
        match = INCLUDE.match(text)
        if match:
            yield number, match.group(2)


def check_cpp(path, lines):
    if path.suffix == ".cpp" and not (lines and lines[0].startswith("//")):
        yield (f"{path}:1: open the file with 2 to 6 comment lines: what it does, and the idea "
               "behind it")
    for number, header in includes_of(lines):
        yield from check_include(path, number, header)
    for number, text in enumerate(lines, 1):
        if re.search(r"\bco_(await|return|yield)\b", text.split("//")[0]):
            yield (f"{path}:{number}: no coroutines (g++ 12 destroys temporaries in co_await "
                   "twice); use callbacks and a small state class")
    if len(lines) > MAX_LINES:
        yield f"{path}: {len(lines)} lines, at most {MAX_LINES}; find the two ideas in it and split"


def check_width(path, lines):
    for number, text in enumerate(lines, 1):
        if len(text) > MAX_COLUMNS:
            yield f"{path}:{number}: {len(text)} columns, at most {MAX_COLUMNS}; break the line"


def check_modules(root):
    """Each module has a README, and its CMake target links what the table allows, no more."""
    for folder in sorted(p for p in (root / "lib").iterdir() if p.is_dir()):
        name = folder.name
        if name not in MAY_USE:
            yield f"lib/{name}: not in the table; add it to MAY_USE in tests/architecture/check.py"
            continue
        if not (folder / "README.md").is_file():
            yield f"lib/{name}: write a README.md of a few lines: what belongs here, what does not"
        cmake = folder / "CMakeLists.txt"
        text = cmake.read_text() if cmake.is_file() else ""
        match = MODULE_LINE.search(text)
        if not match:
            continue
        words = match.group(2).split()
        if "USES" not in words:
            continue
        for word in words[words.index("USES") + 1:]:
            if word in ("LINK", "LINK_PUBLIC"):
                break
            if word not in MAY_USE[name]:
                yield f"lib/{name}/CMakeLists.txt: USES {word}, which the table does not allow"


def files_beneath(root, folders, wanted):
    for folder in folders:
        base = root / folder
        if base.is_dir():
            yield from sorted(p for p in base.rglob("*") if p.is_file() and wanted(p))


def check(root):
    """All violations in the tree, as messages."""
    root = Path(root)
    includes = {}
    for path in files_beneath(root, SOURCES, lambda p: p.suffix in (".cpp", ".hpp", ".h", ".c")):
        lines = path.read_text(encoding="utf-8").splitlines()
        yield from check_cpp(path.relative_to(root), lines)
        yield from check_width(path.relative_to(root), lines)
        includes[path.relative_to(root)] = list(includes_of(lines))
    yield from check_heavy(includes)
    scripts = [*files_beneath(root, SOURCES, lambda p: p.suffix in (".py", ".sh")),
               *files_beneath(root, TOOLS, lambda p: True)]
    for path in scripts:
        if "__pycache__" in path.parts:
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        yield from check_width(path.relative_to(root), lines)
        if len(lines) > MAX_LINES:
            yield f"{path.relative_to(root)}: {len(lines)} lines, at most {MAX_LINES}; split it"
    yield from check_modules(root)


def main():
    if len(sys.argv) != 2:
        print("usage: check.py ROOT", file=sys.stderr)
        return 2
    violations = list(check(sys.argv[1]))
    for violation in violations:
        print(violation)
    print(f"architecture: {len(violations)} violations" if violations else "architecture: holds")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
