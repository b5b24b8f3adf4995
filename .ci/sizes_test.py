"""Tests of sizes.py."""

import tempfile
import unittest
from pathlib import Path

from sizes import faults, functions, long_lines, read_exceptions


class Sizes(unittest.TestCase):
    def source(self, text: str, allowed: str = "") -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "lib.rs").write_text(text)
            return faults(Path(folder), read_exceptions(allowed))

    def test_lines_are_counted_from_the_signature_to_the_brace(self) -> None:
        text = "trait T { fn none(&self); }\nfn a(x: [u8; 2]) -> u8\nwhere\n    u8: Copy,\n{\n    1\n}\nfn b() {}\n"
        self.assertEqual(list(functions(text)), [("a", 2, 6), ("b", 8, 1)])

    def test_long_functions_are_told_unless_they_are_tests(self) -> None:
        body = "\n" * 60
        self.assertEqual(self.source(f"fn long() {{{body}}}\n"), ["lib.rs:1 long: 61 lines (at most 60)"])
        self.assertEqual(self.source(f"#[cfg(test)]\nmod tests {{ fn long() {{{body}}} }}\n"), [])

    def test_long_files_are_told(self) -> None:
        self.assertEqual(self.source("\n" * 501), ["lib.rs: 501 lines (at most 500)"])

    def test_exceptions_hold_and_are_told_when_no_longer_needed(self) -> None:
        self.assertEqual(self.source("\n" * 501, "lib.rs 501"), [])
        self.assertEqual(self.source("\n" * 502, "lib.rs 501"), ["lib.rs: 502 lines (at most 501)"])
        self.assertEqual(self.source("\n", "lib.rs f 70"), ["no longer needed in sizes.txt: lib.rs f"])

    def test_long_lines_of_documents_are_told_but_for_tables_and_quotes(self) -> None:
        long = "x" * 121
        text = f"# A\n\n{long}\n| {long} |\n```\n{long}\n```\n{'x' * 120}\n- {long}\n"
        self.assertEqual(list(long_lines(text)), [(3, 121), (9, 123)])


if __name__ == "__main__":
    unittest.main()
