#!/usr/bin/env python3
"""The first day of docs/first-day.md, as written: each command in its order, and what it prints.

    python3 tests/packages/first_day.py BINARY      needs `bash`, `curl` and `redis-cli`

Only ports and time differ: ports are free ones, and five minutes are some seconds.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
DOCUMENT = ROOT / "docs/first-day.md"
# Between a command's output and the next one's.
MARK = "=== step"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def steps() -> list[tuple[str, str]]:
    """The commands, each with what it is to print."""
    found: list[tuple[str, str]] = []
    for block in re.findall(r"^```console\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def as_run(command: str, ports: dict[str, int]) -> str:
    """The command with this run's ports and time."""
    command = command.replace("sleep 300", "sleep 24").replace("5 minutes ago", "20 seconds ago")
    for name, port in ports.items():
        command = command.replace(name, str(port))
    if command.startswith("lokikv --data-dir data "):
        command = command.replace("--data-dir data", f"--data-dir data --port {ports['6379']}")
    if "redis-cli" in command and "-p " not in command:
        command = command.replace("redis-cli", f"redis-cli -p {ports['6379']}")
    return command.replace("lokikv ping", f"lokikv ping --port {ports['6379']} --timeout-ms 20000")


def is_as_written(written: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in written.strip().split("..."))
    return re.fullmatch(pattern, printed.strip(), re.S) is not None


def main() -> None:
    binary = Path(sys.argv[1]).resolve()
    ports = {name: free_port() for name in ("6379", "9121", "7000")}
    commands = steps()
    assert len(commands) > 15, f"{len(commands)} commands in {DOCUMENT}"
    script = ["trap 'kill $(jobs -p); wait' EXIT"]
    for command, _ in commands:
        script += [as_run(command, ports), f"echo '{MARK}'"]
    with tempfile.TemporaryDirectory(prefix="first-day-") as home, tempfile.TemporaryDirectory() as programs:
        (Path(programs) / "lokikv").symlink_to(binary)
        run = subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=home, env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=150, check=False,
        )
    outputs = run.stdout.split(f"{MARK}\n")
    assert len(outputs) == len(commands) + 1, run.stdout
    for (command, written), printed in zip(commands, outputs):
        assert is_as_written(written, printed), f"$ {command}\nwritten:\n{written}printed:\n{printed}"
        print(f"$ {command}\n{printed}", end="")
    print(f"first day: {len(commands)} commands do what is written")


if __name__ == "__main__":
    main()
