"""Tests of layers.py and of what it reads sources with: `python3 -m unittest discover -s .ci -p '*_test.py'`."""

import tempfile
import unittest
from pathlib import Path

from layers import Graph, Rules, broken_arrows, broken_circles, documented_layers, leaves
from rust_source import split_tests, without_literals


def graph_of(files: dict[str, str]) -> Graph:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Graph(Path(folder))


def edges(graph: Graph) -> dict[str, list[str]]:
    found = {graph.name(path): sorted(map(graph.name, targets)) for path, targets in graph.edges.items()}
    return {name: targets for name, targets in found.items() if targets}


class Source(unittest.TestCase):
    def test_literals_and_comments_go_but_lines_stay(self) -> None:
        text = "a // use b;\n/* use\nc; */ \"use d;\" r#\"use \"e\";\"# '\"' 'x fn f<'a>(b: &'a u8) {}"
        self.assertNotIn("use", without_literals(text))
        self.assertEqual(without_literals(text).count("\n"), text.count("\n"))
        self.assertIn("fn f<'a>(b: &'a u8) {}", without_literals(text))

    def test_test_items_go_and_their_modules_are_told(self) -> None:
        text = "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nuse a::{b, c};\n#[cfg(test)]\nmod t { fn x() {} }\nfn kept() {}"
        left, modules = split_tests(text)
        self.assertEqual(left.split(), ["fn", "kept()", "{}"])
        self.assertEqual(modules, ["tests"])

    def test_a_test_only_field_or_function_goes_alone(self) -> None:
        text = "struct S { a: u8, #[cfg(test)] b: Vec<(u8, u8)>, c: u8 }\n#[cfg(test)]\n#[inline]\nfn f() -> [u8; 2] { [1, 2] }\nfn g() {}"
        left, _ = split_tests(text)
        self.assertNotIn("b:", left)
        self.assertIn("c: u8 }", left)
        self.assertNotIn("fn f", left)
        self.assertIn("fn g() {}", left)


class Imports(unittest.TestCase):
    def test_use_trees(self) -> None:
        found = leaves("crate::a::{self, B, c::{D as E, F}}", [])
        self.assertEqual([name for name, _ in found], ["a", "B", "E", "F"])
        self.assertEqual(found[2][1], ["crate", "a", "c", "D"])

    def test_a_reexport_leads_to_the_file_that_defines(self) -> None:
        graph = graph_of(
            {
                "lib.rs": "mod a; mod b;",
                "a/mod.rs": "mod x; pub use x::X;",
                "a/x.rs": "pub struct X;",
                "b.rs": "use crate::a::X; fn f(x: X) {}",
            }
        )
        self.assertEqual(edges(graph), {"b.rs": ["a/x.rs"]})

    def test_a_module_counts_by_what_is_taken_from_it(self) -> None:
        graph = graph_of(
            {
                "lib.rs": "mod a; mod b;",
                "a/mod.rs": "pub mod x; pub fn own() { x::f(); }",
                "a/x.rs": "pub fn f() { super::own() }",
                "b.rs": "use crate::a; fn f() { a::x::f(); } fn g() { crate::a::own() }",
            }
        )
        self.assertEqual(edges(graph), {"a/mod.rs": ["a/x.rs"], "a/x.rs": ["a/mod.rs"], "b.rs": ["a/mod.rs", "a/x.rs"]})

    def test_tests_do_not_count(self) -> None:
        graph = graph_of(
            {
                "lib.rs": "mod a; mod b;",
                "a.rs": "pub fn f() {}\n#[cfg(test)]\nmod tests { use crate::b::g; }",
                "b.rs": "pub fn g() {}\n#[cfg(test)]\nmod tests;",
                "b/tests.rs": "use crate::a::f;",
            }
        )
        self.assertEqual(edges(graph), {})


class Order(unittest.TestCase):
    FILES = {
        "lib.rs": "mod top; mod low;",
        "top/mod.rs": "pub mod kept; use crate::low::L;",
        "top/kept.rs": "pub struct K;",
        "low.rs": "pub struct L; use crate::top::kept::K;",
    }

    def check(self, rules: str) -> list[str]:
        faults, stale = broken_arrows(graph_of(self.FILES), Rules.read(rules))
        return faults + stale

    def test_an_arrow_up_is_told(self) -> None:
        self.assertEqual(self.check("top\nlow"), ["low.rs -> top/kept.rs: low is not above top"])

    def test_a_file_may_be_a_unit_of_its_own(self) -> None:
        self.assertEqual(self.check("top\nlow\ntop/kept"), [])

    def test_units_of_one_layer_do_not_know_each_other(self) -> None:
        self.assertEqual(len(self.check("top low")), 2)

    def test_an_exception_holds_and_is_told_when_it_is_no_longer_needed(self) -> None:
        self.assertEqual(self.check("top\nlow\nexcept low.rs -> top/"), [])
        self.assertEqual(self.check("top\nlow\ntop/kept\nexcept low.rs -> top/"), ["no longer needed: except low.rs -> top/"])

    def test_a_file_in_no_layer_is_told(self) -> None:
        self.assertIn("low.rs: in no layer", self.check("top"))


class Circles(unittest.TestCase):
    def ring(self, count: int) -> Graph:
        files = {"lib.rs": "mod r;", "r/mod.rs": "".join(f"mod m{i};" for i in range(count))}
        for i in range(count):
            files[f"r/m{i}.rs"] = f"use super::m{(i + 1) % count}::f; pub fn f() {{}}"
        return graph_of(files)

    def test_five_files_may_and_six_may_not(self) -> None:
        rules = Rules.read("r")
        self.assertEqual(broken_circles(self.ring(5), rules), ([], []))
        faults, _ = broken_circles(self.ring(6), rules)
        self.assertEqual(len(faults), 1)
        self.assertIn("a circle of 6 files: r/m0.rs", faults[0])

    def test_an_allowed_circle_holds_and_is_told_when_it_is_no_longer_needed(self) -> None:
        self.assertEqual(broken_circles(self.ring(6), Rules.read("r\ncircle r 6")), ([], []))
        self.assertEqual(len(broken_circles(self.ring(7), Rules.read("r\ncircle r 6"))[0]), 1)
        self.assertEqual(broken_circles(self.ring(5), Rules.read("r\ncircle r 6"))[1], ["no longer needed: circle r"])


class Documented(unittest.TestCase):
    def test_units_stand_before_two_spaces(self) -> None:
        text = "# A\n\n## Layers\n\nwords\n\n```\na      the top\nb c\n```\n\n## B\n"
        self.assertEqual(documented_layers(text), [["a"], ["b", "c"]])


if __name__ == "__main__":
    unittest.main()
