"""Every application of run stands in the table of redis-compat.md, with the versions that are installed."""

import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUN = (ROOT / ".ci" / "run").read_text()
_ROW = re.compile(r"^\| \[[^]]+\]\((tests/peers/[^)]+)\)[^|]*\| ([^|]+) \| [^|]+ \| .+ \|$", re.MULTILINE)


def listed() -> list[str]:
    """The scripts of run's arrays of applications."""
    arrays = re.findall(r"^\w*APPLICATIONS=\((.*?)\)$", RUN, re.MULTILINE | re.DOTALL)
    return re.findall(r"[\w/]+\.(?:py|mjs|rb|rs|c|go|lua|php|pl|sh)\b", "\n".join(arrays))


class Table(unittest.TestCase):
    rows = dict(_ROW.findall((ROOT / "redis-compat.md").read_text()))

    def test_every_application_has_a_row(self) -> None:
        self.assertGreater(len(listed()), 20)
        self.assertEqual([name for name in listed() if f"tests/peers/apps/{name}" not in self.rows], [])

    def test_every_row_is_run(self) -> None:
        apps = [path.removeprefix("tests/peers/apps/") for path in self.rows if path.startswith("tests/peers/apps/")]
        self.assertEqual([name for name in apps if name not in listed()], [])
        others = [path for path in self.rows if not path.startswith("tests/peers/apps/")]
        self.assertEqual([path for path in others if path not in RUN], [])

    def test_versions_are_those_that_are_installed(self) -> None:
        pinned = RUN + "".join(path.read_text() for path in (ROOT / "tests" / "peers").glob("requirements*.txt"))
        pinned += (ROOT / "tests" / "peers" / "apps" / "rust" / "Cargo.toml").read_text()
        versions = set(re.findall(r"(?<=[=@])\d[\w.]*", pinned))
        ours = {path: text for path, text in self.rows.items() if path.endswith((".py", ".mjs", ".rs"))}
        named = {path: set(re.findall(r"\d[\w.]*", text)) for path, text in ours.items()}
        self.assertEqual({path: found - versions for path, found in named.items() if not found or found - versions}, {})


if __name__ == "__main__":
    unittest.main()
