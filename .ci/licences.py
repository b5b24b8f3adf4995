#!/usr/bin/env python3
"""Checks the licence of every crate in Cargo.lock against deny.toml, and that its source is Cargo's registry.

Needs Python 3.11 and cargo, nothing else. Exits 1 and names each crate that breaks the policy.
"""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tokens(expression: str) -> list[str]:
    """Splits an SPDX expression; the old `/` means OR."""
    return re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))


def choices(expression: str) -> list[frozenset[str]]:
    """The sets of licences, any one of which satisfies the expression (AND binds tighter than OR)."""
    left = tokens(expression)

    def alternatives() -> list[frozenset[str]]:
        found = together()
        while left and left[0] == "OR":
            left.pop(0)
            found = found + together()
        return found

    def together() -> list[frozenset[str]]:
        found = one()
        while left and left[0] == "AND":
            left.pop(0)
            more = one()
            found = [a | b for a in found for b in more]
        return found

    def one() -> list[frozenset[str]]:
        token = left.pop(0)
        if token == "(":
            found = alternatives()
            if left.pop(0) != ")":
                raise ValueError("unbalanced parentheses")
            return found
        if left and left[0] == "WITH":
            left.pop(0)
            token = f"{token} WITH {left.pop(0)}"
        return [frozenset([token])]

    found = alternatives()
    if left:
        raise ValueError(f"cannot read the rest: {left}")
    return found


def problem(package: dict, allowed: set[str], used: set[str]) -> str | None:
    """What is wrong with a package; notes which licences it relies on."""
    source = package["source"]
    if source is not None and not (source.startswith("registry+") and source.endswith("/crates.io-index")):
        return f"source {source} is not allowed"
    expression = package["license"]
    if not expression:
        return "declares no licence"
    try:
        fitting = [choice for choice in choices(expression) if choice <= allowed]
    except (ValueError, IndexError) as error:
        return f"licence {expression!r}: {error}"
    if not fitting:
        return f"licence {expression!r} is not allowed"
    used.update(*fitting)
    return None


def main() -> int:
    policy = tomllib.loads((ROOT / "deny.toml").read_text())
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)
    allowed = set(policy["licenses"]["allow"])
    used: set[str] = set()
    failures = 0
    for package in metadata["packages"]:
        if wrong := problem(package, allowed, used):
            print(f"{package['name']} {package['version']}: {wrong}", file=sys.stderr)
            failures += 1
    for licence in sorted(allowed - used):
        print(f"deny.toml allows {licence}, which nothing uses", file=sys.stderr)
        failures += 1
    for entry in policy["advisories"]["ignore"]:
        if not entry.get("reason"):
            print(f"deny.toml ignores {entry['id']} without a reason", file=sys.stderr)
            failures += 1
    print(f"licences: {len(metadata['packages'])} crates, {failures} problems")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
