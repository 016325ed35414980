#!/usr/bin/env python3
"""Plants each kind of violation in a small tree and expects check.py to find exactly that one."""

import tempfile
import unittest
from pathlib import Path

import check

OPENING = "// What it does.\n"


class PlantedViolations(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name)
        self.write("lib/base/README.md", "# base\n")
        self.write("lib/base/CMakeLists.txt", "shoal_module(NAME base LINK x)\n")
        self.write("lib/content/README.md", "# content\n")
        self.write("lib/content/CMakeLists.txt", "shoal_module(NAME content USES base LINK y)\n")
        self.write("lib/content/good.cpp", OPENING + '#include "base/error.hpp"\n')

    def tearDown(self):
        self.folder.cleanup()

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def assert_finds(self, part):
        found = list(check.check(self.root))
        self.assertEqual(len(found), 1, found)
        self.assertIn(part, found[0])

    def test_a_tree_that_keeps_the_rules_passes(self):
        self.assertEqual(list(check.check(self.root)), [])

    def test_include_against_the_table(self):
        self.write("lib/content/bad.cpp", OPENING + '#include "store/store.hpp"\n')
        self.assert_finds("'content' may not use 'store'")

    def test_angle_brackets_do_not_hide_an_include(self):
        self.write("lib/base/bad.cpp", OPENING + "#  include <content/image.hpp>\n")
        self.assert_finds("'base' may not use 'content'")

    def test_program_against_the_table(self):
        self.write("cli/shoal/main.cpp", OPENING + '#include "agent/service.hpp"\n')
        self.assert_finds("'cli/shoal' may not use 'agent'")

    def test_more_than_the_interface(self):
        self.write("lib/edge/README.md", "# edge\n")
        self.write("lib/edge/bad.cpp", OPENING + '#include "trust/updater.hpp"\n')
        self.assert_finds("its interfaces only")

    def test_link_against_the_table(self):
        self.write("lib/content/CMakeLists.txt", "shoal_module(NAME content USES base swarm)\n")
        self.assert_finds("USES swarm")

    def test_sqlite_outside_store(self):
        self.write("lib/content/bad.cpp", OPENING + "#include <sqlite3.h>\n")
        self.assert_finds("only lib/store")

    def test_curl_outside_edge(self):
        self.write("daemon/bad.cpp", OPENING + "#include <curl/curl.h>\n")
        self.assert_finds("only lib/edge")

    def test_libtorrent_outside_swarm(self):
        self.write("lib/content/bad.cpp", OPENING + "#include <libtorrent/session.hpp>\n")
        self.assert_finds("only lib/swarm")

    def test_tests_may_include_what_they_compare_with(self):
        self.write("tests/unit/content/t.cpp", OPENING + "#include <libtorrent/session.hpp>\n")
        self.assertEqual(list(check.check(self.root)), [])

    def test_heavy_header_that_reaches_another_module(self):
        self.write("lib/base/inner.hpp", OPENING + "#include <nlohmann/json.hpp>\n")
        self.write("lib/base/outer.hpp", OPENING + '#include "base/inner.hpp"\n')
        self.write("lib/content/user.cpp", OPENING + '#include "base/outer.hpp"\n')
        self.assert_finds("brings the heavy <nlohmann/json.hpp> into 'content'")

    def test_heavy_header_that_stays_within_its_module(self):
        self.write("lib/content/private.hpp", OPENING + "#include <nlohmann/json.hpp>\n")
        self.write("lib/content/user.cpp", OPENING + '#include "content/private.hpp"\n')
        self.assertEqual(list(check.check(self.root)), [])

    def test_forward_declarations_are_light(self):
        self.write("lib/base/ok.hpp", OPENING + "#include <nlohmann/json_fwd.hpp>\n")
        self.write("lib/content/user.cpp", OPENING + '#include "base/ok.hpp"\n')
        self.assertEqual(list(check.check(self.root)), [])

    def test_source_without_an_opening(self):
        self.write("lib/content/bad.cpp", '#include "base/error.hpp"\n')
        self.assert_finds("open the file")

    def test_line_too_long(self):
        self.write("lib/content/bad.cpp", OPENING + "// " + "x" * 98 + "\n")
        self.assert_finds("101 columns")

    def test_file_too_long(self):
        self.write("lib/content/bad.cpp", OPENING * 501)
        self.assert_finds("501 lines")

    def test_coroutine(self):
        self.write("lib/content/bad.cpp", OPENING + "void f() { co_await g(); }\n")
        self.assert_finds("no coroutines")

    def test_module_without_readme(self):
        (self.root / "lib/content/README.md").unlink()
        self.assert_finds("README.md")

    def test_module_that_is_not_in_the_table(self):
        self.write("lib/novel/README.md", "# novel\n")
        self.assert_finds("not in the table")


if __name__ == "__main__":
    unittest.main()
