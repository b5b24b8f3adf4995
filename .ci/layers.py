#!/usr/bin/env python3
"""Checks the direction of imports in src/ against layers.txt.

An import must not lead to a layer above its own (or to another unit of its own layer), and within a top-level folder at
most five files may import each other in a circle. A path is followed through `pub use` to the file that defines the
name; `mod` declarations and mere re-exports are no imports. Test code does not count. Exits 1 and names the files.
"""

import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from rust_source import child_file, product_files

ROOT = Path(__file__).resolve().parent.parent
CIRCLE_MAX = 5
_USE = re.compile(r"(?P<pub>\bpub(?:\([^)]*\))?\s+)?\buse\s+(?P<tree>[^;]+);")
_ITEM = re.compile(
    r"\b(?:fn|struct|enum|union|trait|type|const|static|mod)\s+(?:mut\s+)?([A-Za-z]\w*)|\bmacro_rules!\s*(\w+)"
)
_PATH = re.compile(r"(?<![\w:.$])([A-Za-z_]\w*(?:\s*::\s*[A-Za-z_]\w*)+)")


@dataclass
class Module:
    """A source file and the names in it."""

    path: Path
    parent: "Module | None"
    text: str
    children: dict[str, "Module"] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)
    uses: dict[str, list[str]] = field(default_factory=dict)
    reexports: set[str] = field(default_factory=set)


def leaves(tree: str, prefix: list[str]) -> list[tuple[str, list[str]]]:
    """The names that a use tree brings in, each with its full path."""
    tree = tree.strip()
    if "{" in tree:
        head, _, rest = tree.partition("{")
        base = prefix + [part.strip() for part in head.split("::") if part.strip()]
        inner = rest.rsplit("}", 1)[0]
        return [leaf for part in _split_commas(inner) for leaf in leaves(part, base)]
    path, _, alias = tree.partition(" as ")
    parts = prefix + [part.strip() for part in path.split("::") if part.strip()]
    if not parts:
        return []
    if parts[-1] == "self":
        parts = parts[:-1]
    return [(alias.strip() or parts[-1], parts)]


def _split_commas(text: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and depth == 0:
            parts.append(text[start:at])
            start = at + 1
    return [part for part in [*parts, text[start:]] if part.strip()]


class Graph:
    """The modules of a crate and which file imports which."""

    def __init__(self, src: Path) -> None:
        self.src = src
        self.files = product_files(src / "lib.rs")
        self.modules: dict[Path, Module] = {}
        self.root = self._read(src / "lib.rs", None)
        self.edges = {path: self._imports(module) for path, module in self.modules.items()}

    def name(self, path: Path) -> str:
        return path.relative_to(self.src).as_posix()

    def _read(self, path: Path, parent: Module | None) -> Module:
        module = Module(path, parent, self.files[path])
        self.modules[path] = module
        for found in _USE.finditer(module.text):
            for name, parts in leaves(found["tree"], []):
                module.uses[name] = parts
                if found["pub"]:
                    module.reexports.add(name)
        body = _USE.sub(" ", module.text)
        for name in re.findall(r"\bmod\s+(\w+)\s*;", body):
            file = child_file(path, name)
            if file in self.files:
                module.children[name] = self._read(file, module)
        module.items = {a or b for a, b in _ITEM.findall(body)} - set(module.children)
        return module

    def _imports(self, module: Module) -> set[Path]:
        """The files that this one leads to."""
        body = _USE.sub(" ", module.text)
        paths = [[part.strip() for part in found.split("::")] for found in _PATH.findall(body)]
        words = set(re.findall(r"\w+", body))
        for name, parts in module.uses.items():
            # A module that was brought in counts by what is taken from it: those paths are in the body.
            as_prefix = any(path[0] == name for path in paths) and self._is_module(module, parts)
            only_passed_on = name in module.reexports and name not in words
            if not as_prefix and not only_passed_on:
                paths.append(parts)
        targets = {self.resolve(module, path, frozenset()) for path in paths}
        return {target for target in targets if target} - {module.path}

    def _is_module(self, module: Module, parts: list[str]) -> bool:
        found = self._walk(module, parts, frozenset())
        return isinstance(found, Module)

    def resolve(self, module: Module, parts: list[str], seen: frozenset) -> Path | None:
        found = self._walk(module, parts, seen)
        return found.path if isinstance(found, Module) else found

    def _walk(self, module: Module, parts: list[str], seen: frozenset) -> "Module | Path | None":
        """The module or the file of an item that a path leads to; None outside of this crate."""
        at: Module | None = module
        for index, part in enumerate(parts):
            if at is None:
                return None
            if part == "crate":
                at = self.root
            elif part == "super":
                at = at.parent
            elif part == "self":
                continue
            elif part in at.children:
                at = at.children[part]
            elif part in at.items:
                return at.path
            elif part in at.uses and (at.path, part) not in seen:
                onward = at.uses[part] + parts[index + 1 :]
                return self._walk(at, onward, seen | {(at.path, part)})
            elif index == 0:
                return None
            else:
                return at.path
        return at

    def circles(self) -> list[list[str]]:
        """Files of one top-level folder that import each other, largest circle first (Tarjan)."""
        order: dict[Path, int] = {}
        low: dict[Path, int] = {}
        stack: list[Path] = []
        found: list[list[str]] = []

        def visit(path: Path) -> None:
            order[path] = low[path] = len(order)
            stack.append(path)
            for target in sorted(self.edges[path]):
                if folder(self.name(target)) != folder(self.name(path)):
                    continue
                if target not in order:
                    visit(target)
                    low[path] = min(low[path], low[target])
                elif target in stack:
                    low[path] = min(low[path], order[target])
            if low[path] == order[path]:
                at = stack.index(path)
                found.append(sorted(self.name(file) for file in stack[at:]))
                del stack[at:]

        sys.setrecursionlimit(10_000)
        for path in sorted(self.edges):
            if path not in order:
                visit(path)
        return sorted((circle for circle in found if len(circle) > 1), key=len, reverse=True)


def folder(name: str) -> str:
    return name.split("/")[0].removesuffix(".rs")


@dataclass
class Rules:
    """What layers.txt says: the layers from the top down, and the exceptions that are left."""

    layers: list[list[str]]
    exceptions: list[tuple[str, str]]
    circle_exceptions: dict[str, int]

    @classmethod
    def read(cls, text: str) -> "Rules":
        rules = cls([], [], {})
        for line in text.splitlines():
            words = line.split("#")[0].split()
            if not words:
                continue
            if words[0] == "except":
                rules.exceptions.append((words[1], words[3]))
            elif words[0] == "circle":
                rules.circle_exceptions[words[1]] = int(words[2])
            else:
                rules.layers.append(words)
        return rules

    def unit(self, name: str) -> str | None:
        """The unit of a file: the longest listed path that leads to it."""
        stem = name.removesuffix(".rs").removesuffix("/mod")
        units = [unit for layer in self.layers for unit in layer if stem == unit or stem.startswith(unit + "/")]
        return max(units, key=len, default=None)

    def layer(self, unit: str) -> int:
        return next(index for index, layer in enumerate(self.layers) if unit in layer)


def broken_arrows(graph: Graph, rules: Rules) -> tuple[list[str], list[str]]:
    """Imports that lead up, and what layers.txt says that is not (or no longer) so."""
    faults: list[str] = []
    used: set[tuple[str, str]] = set()
    for path, targets in sorted(graph.edges.items()):
        source = graph.name(path)
        if source in ("lib.rs", "main.rs"):
            continue
        here = rules.unit(source)
        if here is None:
            faults.append(f"{source}: in no layer")
            continue
        for target in sorted(graph.name(target) for target in targets):
            there = rules.unit(target)
            if there is None or there == here or rules.layer(there) > rules.layer(here):
                continue
            excepted = [pair for pair in rules.exceptions if source.startswith(pair[0]) and target.startswith(pair[1])]
            used.update(excepted)
            if not excepted:
                faults.append(f"{source} -> {target}: {here} is not above {there}")
    stale = [f"no longer needed: except {a} -> {b}" for a, b in rules.exceptions if (a, b) not in used]
    return faults, stale


def broken_circles(graph: Graph, rules: Rules) -> tuple[list[str], list[str]]:
    faults, stale = [], []
    largest: dict[str, int] = {}
    for circle in graph.circles():
        name = folder(circle[0])
        largest.setdefault(name, len(circle))
        if len(circle) > rules.circle_exceptions.get(name, CIRCLE_MAX):
            faults.append(f"a circle of {len(circle)} files: {' '.join(circle)}")
    for name in rules.circle_exceptions:
        if largest.get(name, 0) <= CIRCLE_MAX:
            stale.append(f"no longer needed: circle {name}")
    return faults, stale


def documented_layers(text: str) -> list[list[str]]:
    """The layers in the first code block under ARCHITECTURE.md's heading "Layers"."""
    block = re.search(r"^## Layers\n.*?^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = block.group(1).splitlines() if block else []
    # A line is the units of a layer and, behind two spaces, what they are.
    return [re.split(r"\s{2,}", line.strip())[0].split() for line in lines if line.strip()]


def main() -> int:
    rules = Rules.read((ROOT / ".ci" / "layers.txt").read_text())
    graph = Graph(ROOT / "src")
    arrows, stale_arrows = broken_arrows(graph, rules)
    circles, stale_circles = broken_circles(graph, rules)
    faults = arrows + circles + stale_arrows + stale_circles
    if documented_layers((ROOT / "ARCHITECTURE.md").read_text()) != rules.layers:
        faults.append('the section "Layers" of ARCHITECTURE.md is not what .ci/layers.txt says')
    for fault in faults:
        print(fault)
    count = sum(len(targets) for targets in graph.edges.values())
    print(f"{len(graph.edges)} files, {count} imports, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
