#!/usr/bin/env python3
"""Shows that the models can fail: breaks the server's files in one place after the other and expects a model to notice.

Each mutant is a copy of `models/` and of the files that it builds, under target/mutants. Exits 1 and names those that no
model has noticed, and those whose text is not in the file any more.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "target" / "mutants"
# A model that finds nothing takes a second; one in which nobody gets on might take for ever.
SECONDS_MAX = 60


@dataclass
class Mutant:
    """A text of a file, and what stands in its stead."""

    what: str
    file: str
    text: str
    instead: str


MUTANTS = [
    Mutant(
        "an exclusive section that leaves one cell to its worker",
        "src/engine/gate.rs",
        "self.cells.iter().map(|cell| lock_meanwhile(&cell.0))",
        "self.cells.iter().skip(1).map(|cell| lock_meanwhile(&cell.0))",
    ),
    Mutant("a pass that is not given up", "src/engine/gate.rs", "self._cell = None;", ""),
    Mutant(
        "a pass without its cell",
        "src/engine/gate.rs",
        "_cell: Some(lock_meanwhile(&self.cells[cell].0)),",
        "_cell: Some(lock_meanwhile(&self.cells[cell].0)).filter(|_| false),",
    ),
    Mutant(
        "a second shard that is locked before the first is released",
        "src/session/held.rs",
        "let kept = self.held.take().filter(|(held, _)| *held == shard);",
        "let (kept, _other) = match self.held.take() {\n"
        "            Some(held) if held.0 == shard => (Some(held), None),\n"
        "            other => (None, other),\n"
        "        };",
    ),
    Mutant("a shard that is not released", "src/session/held.rs", "self.held = None;", ""),
    Mutant(
        "a slot that rests by a store",
        "src/net/ready.rs",
        "self.is_noted.swap(false, Ordering::SeqCst);",
        "self.is_noted.store(false, Ordering::SeqCst);",
    ),
    Mutant(
        "a slot that rests without an order",
        "src/net/ready.rs",
        "self.is_noted.swap(false, Ordering::SeqCst);",
        "self.is_noted.swap(false, Ordering::Relaxed);",
    ),
    Mutant(
        "a slot that is noted without an order",
        "src/net/ready.rs",
        "self.is_noted.swap(true, Ordering::SeqCst)",
        "self.is_noted.swap(true, Ordering::Relaxed)",
    ),
    Mutant(
        "a worker that is woken for the second ticket only",
        "src/net/ready.rs",
        "if let ([_], Some(worker))",
        "if let ([_, _], Some(worker))",
    ),
]


def build(mutant: Mutant) -> str | None:
    """Lays out the mutant; what is wrong with it."""
    shutil.rmtree(PLACE / "src", ignore_errors=True)
    shutil.rmtree(PLACE / "models", ignore_errors=True)
    shutil.copytree(ROOT / "src", PLACE / "src")
    shutil.copytree(ROOT / "models", PLACE / "models", ignore=shutil.ignore_patterns("target"))
    path = PLACE / mutant.file
    text = path.read_text()
    if text.count(mutant.text) != 1:
        return f"{mutant.file} has {text.count(mutant.text)} times: {mutant.text}"
    path.write_text(text.replace(mutant.text, mutant.instead))
    return None


def cargo(*arguments: str) -> subprocess.CompletedProcess:
    """Runs cargo on the mutant, with the libraries of the one before."""
    command = ["cargo", *arguments, "--release", "--locked", "--quiet", "--target-dir", str(PLACE / "target")]
    return subprocess.run(
        [*command, "--manifest-path", str(PLACE / "models" / "Cargo.toml")],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def survives(mutant: Mutant) -> str | None:
    """What is wrong, unless a model fails."""
    fault = build(mutant)
    if fault:
        return fault
    built = cargo("test", "--no-run")
    if built.returncode != 0:
        return f"does not build: {built.stderr}"
    try:
        return "no model has noticed" if cargo("test").returncode == 0 else None
    except subprocess.TimeoutExpired:
        return f"a model has not ended within {SECONDS_MAX} s"


def main() -> int:
    """Tries all of them."""
    faults = 0
    for mutant in MUTANTS:
        fault = survives(mutant)
        faults += fault is not None
        print(f"{mutant.what}: {fault or 'noticed'}", flush=True)
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
