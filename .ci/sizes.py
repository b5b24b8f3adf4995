#!/usr/bin/env python3
"""Checks that no file in src/ is over 500 lines and no function over 60; test code does not count for functions. And
that no line of a document is over 120 characters, but in tables and in what is quoted.

What is still over stands in sizes.txt (file, or file and function, and how many lines it may have). Exits 1 and names
each fault.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from rust_source import end_of_block, product_files

ROOT = Path(__file__).resolve().parent.parent
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 60
DOCUMENT_LINE_MAX = 120
_FUNCTION = re.compile(r"\bfn\s+(\w+)[^;{}]*(?:\[[^\]]*\][^;{}]*)*\{")


def functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Each function of a source without literals: its name, its first line and how many lines it has."""
    for found in _FUNCTION.finditer(text):
        end = end_of_block(text, found.end() - 1)
        yield found[1], text.count("\n", 0, found.start()) + 1, text.count("\n", found.start(), end) + 1


def read_exceptions(text: str) -> dict[str, int]:
    lines = (line.split("#")[0].split() for line in text.splitlines())
    return {" ".join(words[:-1]): int(words[-1]) for words in lines if words}


def faults(src: Path, allowed: dict[str, int]) -> list[str]:
    found: list[str] = []
    seen: set[str] = set()

    def judge(key: str, place: str, lines: int, limit: int) -> None:
        if lines <= limit:
            return
        seen.add(key)
        if lines > allowed.get(key, limit):
            found.append(f"{place}: {lines} lines (at most {allowed.get(key, limit)})")

    for path in sorted(src.rglob("*.rs")):
        name = path.relative_to(src).as_posix()
        judge(name, name, path.read_text().count("\n"), FILE_LINES_MAX)
    for path, text in sorted(product_files(src / "lib.rs").items()):
        name = path.relative_to(src).as_posix()
        for function, line, lines in functions(text):
            judge(f"{name} {function}", f"{name}:{line} {function}", lines, FUNCTION_LINES_MAX)
    return found + [f"no longer needed in sizes.txt: {key}" for key in allowed if key not in seen]


def long_lines(text: str) -> Iterator[tuple[int, int]]:
    """Each line of a document that is too long: its number, and how long it is."""
    is_quoted = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            is_quoted = not is_quoted
        elif not is_quoted and not line.startswith("|") and len(line) > DOCUMENT_LINE_MAX:
            yield number, len(line)


def long_lines_of_documents() -> list[str]:
    documents = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
    return [
        f"{path.relative_to(ROOT)}:{number}: {length} characters (at most {DOCUMENT_LINE_MAX})"
        for path in documents
        for number, length in long_lines(path.read_text())
    ]


def main() -> int:
    found = faults(ROOT / "src", read_exceptions((ROOT / ".ci" / "sizes.txt").read_text()))
    found += long_lines_of_documents()
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
