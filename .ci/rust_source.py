"""Reads Rust source just far enough for the checks beside it: text without comments, strings and test code."""

import re
from pathlib import Path

# Raw strings, strings, characters (not lifetimes) and comments, in the order in which they must be tried.
_SKIPPED = re.compile(
    r"""//[^\n]*
      | /\*.*?\*/
      | b?r(?P<hashes>\#*)".*?"(?P=hashes)
      | [bc]?"(?:[^"\\]|\\.)*"
      | b?'(?:[^'\\\n]|\\(?:u\{[0-9a-fA-F]+\}|x..|.))'""",
    re.VERBOSE | re.DOTALL,
)
_TEST_ITEM = re.compile(r"#\[cfg\((?:test|all\(test\b[^\]]*)\)\]")
_OUTER_ATTRIBUTE = re.compile(r"\s*#\[")
_MOD_FILE = re.compile(r"\bmod\s+(\w+)\s*;")


def _blank(text: str) -> str:
    """The same lines with nothing in them, so that line numbers stay true."""
    return re.sub(r"[^\n]", " ", text)


def without_literals(text: str) -> str:
    """Blanks comments, strings and characters; every other byte stays where it is."""
    return _SKIPPED.sub(lambda found: _blank(found.group()), text)


def end_of_block(text: str, at: int) -> int:
    """Where the block that opens at `at` ends: behind its closing brace."""
    depth = 0
    for brace in re.finditer(r"[{}]", text[at:]):
        depth += 1 if brace.group() == "{" else -1
        if depth == 0:
            return at + brace.end()
    return len(text)


def _end_of_item(text: str, at: int) -> int:
    """Where the item that begins at `at` ends; its attributes belong to it."""
    while _OUTER_ATTRIBUTE.match(text, at):
        at = text.index("]", at) + 1
    depth = 0
    for mark in re.finditer(r"[(){};,\[\]]", text[at:]):
        sign = mark.group()
        if sign == "{" and depth == 0:
            end = end_of_block(text, at + mark.start())
            # The braces of a `use` or of a `let` end with a semicolon, those of a function do not.
            rest = re.match(r"\s*;", text[end:])
            return end + (rest.end() if rest else 0)
        if sign in ";," and depth == 0:
            return at + mark.end()
        if sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        if depth < 0 or sign == "}":
            return at + mark.start()
    return len(text)


def split_tests(text: str) -> tuple[str, list[str]]:
    """Blanks every item under `#[cfg(test)]`; tells the names of the modules in files among them."""
    modules: list[str] = []
    while found := _TEST_ITEM.search(text):
        end = _end_of_item(text, found.end())
        modules += _MOD_FILE.findall(text[found.end() : end])
        text = text[: found.start()] + _blank(text[found.start() : end]) + text[end:]
    return text, modules


def child_folder(path: Path) -> Path:
    """The folder in which the modules declared in `path` are."""
    return path.parent if path.name in ("mod.rs", "lib.rs", "main.rs") else path.with_suffix("")


def child_file(path: Path, name: str) -> Path | None:
    """The file of module `name` declared in `path`, if it is a file."""
    folder = child_folder(path)
    for candidate in (folder / f"{name}.rs", folder / name / "mod.rs"):
        if candidate.is_file():
            return candidate
    return None


def product_files(root_file: Path) -> dict[Path, str]:
    """Every file that is compiled outside of tests, from `lib.rs` down, with its text blanked as above."""
    files: dict[Path, str] = {}
    waiting = [root_file]
    while waiting:
        path = waiting.pop()
        raw = path.read_text()
        if "#![cfg(test)]" in raw:
            continue
        text, _ = split_tests(without_literals(raw))
        files[path] = text
        waiting += [file for name in _MOD_FILE.findall(text) if (file := child_file(path, name))]
    return files
