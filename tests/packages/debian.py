#!/usr/bin/env python3
"""Installs the Debian package on this machine, starts the server as the unit would, upgrades, removes and purges it.

    python3 tests/packages/debian.py BINARY      as root on Debian, where LokiKV is not installed

Everything that it made is gone when it ends.
"""

import gzip
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
UNIT = Path("/lib/systemd/system/lokikv.service")
CONFIG = Path("/etc/lokikv/config.toml")
STATE = Path("/var/lib/lokikv")
PROGRAM = Path("/usr/bin/lokikv")
# The exposure that `systemd-analyze security` may find, in tenths.
EXPOSURE_MAX = 15
LOG = STATE / "server.log"


def run(*command: str | Path, check: bool = True, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    if check and done.returncode != 0:
        raise AssertionError(f"{shlex.join(map(str, command))}: {done.returncode}\n{done.stdout}")
    return done


def expect(what: str, want: object, got: object) -> None:
    assert want == got, f"{what}: wanted {want!r}, got {got!r}"
    print(f"ok   {what}: {got}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def build(binary: Path, revision: int) -> Path:
    done = run(ROOT / "deploy/debian/build", "--binary", binary, "--revision", str(revision), "--fast")
    return Path(done.stdout.splitlines()[-1])


def mode_of(path: Path) -> str:
    return run("stat", "-c", "%U:%G %a", path).stdout.strip()


def setting(name: str) -> str:
    """A line of the installed unit."""
    found = [line.split("=", 1)[1] for line in UNIT.read_text().splitlines() if line.startswith(f"{name}=")]
    assert len(found) == 1, f"{name} in {UNIT}: {found}"
    return found[0]


class Service:
    """The server as the unit starts it: its user, folder, limits and rights, and a manager that it tells things."""

    def __init__(self, place: Path) -> None:
        self.path = place / "notify"
        self.path.unlink(missing_ok=True)
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(self.path))
        self.path.chmod(0o666)
        self.manager.settimeout(60)
        self.log = (place / "log").open("a")
        self.process = subprocess.Popen(
            self.command("ExecStart"),
            cwd=setting("WorkingDirectory"),
            umask=int(setting("UMask"), 8),
            env={"NOTIFY_SOCKET": str(self.path), "PATH": "/usr/bin:/bin"},
            stdout=self.log,
            stderr=self.log,
        )

    @staticmethod
    def command(name: str) -> list[str]:
        rights = ["--reuid", setting("User"), "--regid", setting("Group"), "--clear-groups", "--no-new-privs"]
        rights += ["--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all"]
        return ["setpriv", *rights, *shlex.split(setting(name))]

    def reload(self) -> None:
        run(*(word.replace("$MAINPID", str(self.process.pid)) for word in self.command("ExecReload")))

    def told(self) -> list[str]:
        return self.manager.recv(1024).decode().splitlines()

    def wait_ready(self) -> None:
        while "READY=1" not in self.told():
            assert self.process.poll() is None, "the server ended"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in self.told():
            pass
        return self.process.wait(60)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.manager.close()
        self.log.close()


@contextmanager
def service(place: Path) -> Iterator[Service]:
    started = Service(place)
    try:
        started.wait_ready()
        yield started
        expect("exit code after SIGTERM", 0, started.stop())
    except BaseException:
        print((place / "log").read_text()[-4000:], file=sys.stderr)
        raise
    finally:
        started.end()


def cli(port: int, *words: str) -> str:
    return run("redis-cli", "-p", str(port), *words).stdout.strip()


def check_contents(package: Path) -> None:
    listed = {line.split()[5].removeprefix(".") for line in run("dpkg-deb", "-c", package).stdout.splitlines()}
    for path in [
        "/usr/bin/lokikv",
        "/etc/lokikv/config.toml",
        "/lib/systemd/system/lokikv.service",
        "/usr/share/man/man1/lokikv.1.gz",
        "/usr/share/man/man1/lokikv-ping.1.gz",
        "/usr/share/bash-completion/completions/lokikv",
        "/usr/share/zsh/vendor-completions/_lokikv",
        "/usr/share/fish/vendor_completions.d/lokikv.fish",
        "/usr/share/doc/lokikv/copyright",
        "/usr/share/doc/lokikv/changelog.Debian.gz",
    ]:
        assert path in listed, f"{path} is not in {package.name}"
    owners = {line.split()[1] for line in run("dpkg-deb", "-c", package).stdout.splitlines()}
    expect("owners in the package", {"root/root"}, owners)
    print(f"ok   contents: {len(listed)} files and folders")


def check_pages(package: Path, place: Path) -> None:
    run("dpkg-deb", "-x", package, place / "content")
    pages = sorted((place / "content/usr/share/man/man1").glob("*.gz"))
    for page in pages:
        plain = place / page.stem
        plain.write_bytes(gzip.decompress(page.read_bytes()))
        # Errors only: a formatter that does not understand a page.
        run("mandoc", "-T", "lint", "-W", "error", plain)
    page = run("mandoc", "-T", "ascii", place / "lokikv.1").stdout
    assert "check-config" in page and "Exit codes" in page, page
    print(f"ok   pages: {len(pages)}")


def check_completions(place: Path) -> None:
    """What the shells offer behind some words; of zsh, whether it has a use for the file that it finds."""
    wanted = {"lokikv ver": "verify", "lokikv --che": "--check-config", "lokikv ping --uni": "--unixsocket"}
    for words, want in wanted.items():
        got = run("env", f"HOME={place}", "fish", "-c", 'complete -C "$argv"', words).stdout
        expect(f"fish completes {words}", [want], [line.split("\t")[0] for line in got.splitlines()])
    zsh = "autoload -Uz compinit && compinit -u -D && print -r -- $_comps[lokikv] && autoload -Uz +X _lokikv"
    expect("zsh completes lokikv with", "_lokikv", run("zsh", "-f", "-c", zsh).stdout.strip())
    script = """
        source /usr/share/bash-completion/completions/lokikv
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _lokikv lokikv "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    for words, want in [(("ver",), "verify"), (("--che",), "--check-config"), (("ping", "--uni"), "--unixsocket")]:
        got = run("bash", "-c", script, "bash", "lokikv", *words).stdout.split()
        expect(f"bash completes {' '.join(words)}", [want], got)


def check_unit() -> None:
    done = run("systemd-analyze", "verify", "--man=no", UNIT)
    # It also tells of other units of the machine.
    expect("systemd-analyze verify", [], [line for line in done.stdout.splitlines() if "lokikv" in line])
    done = run("systemd-analyze", "security", "--offline=yes", f"--threshold={EXPOSURE_MAX}", UNIT)
    print(f"ok   {done.stdout.strip().splitlines()[-1]}")


def configure(port: int) -> None:
    """As an administrator does."""
    lines = CONFIG.read_text().splitlines()
    section = ""
    for n, line in enumerate(lines):
        section = line if line.startswith("[") else section
        if line.startswith("port = ") and section == "[server]":
            lines[n] = f"port = {port}"
        elif line.startswith("port = ") and section == "[http]":
            lines[n] = f"port = {free_port()}"
        elif line.startswith("file = ") and section == "[log]":
            lines[n] = f'file = "{LOG}"'
    CONFIG.write_text("\n".join(lines) + "\n")


def check(packages: list[Path], place: Path) -> None:
    check_contents(packages[0])
    check_pages(packages[0], place)
    run("dpkg", "-i", packages[0])
    expect("owner of the data", "lokikv:lokikv 750", mode_of(STATE))
    expect("owner of the configuration", "root:lokikv 640", mode_of(CONFIG))
    expect("shell of the user", "/usr/sbin/nologin", pwd.getpwnam("lokikv").pw_shell)
    check_unit()
    check_completions(place)

    port = free_port()
    configure(port)
    edited = CONFIG.read_text()
    with service(place) as running:
        expect("SET", "OK", cli(port, "SET", "greeting", "hello"))
        uid = next(line for line in Path(f"/proc/{running.process.pid}/status").open() if line.startswith("Uid:"))
        expect("user", pwd.getpwnam("lokikv").pw_uid, int(uid.split()[1]))
        expect("ping", 0, run(PROGRAM, "ping", "--port", str(port), "--timeout-ms", "20000").returncode)
        old = LOG.rename(LOG.with_suffix(".old"))
        running.reload()
        deadline = time.monotonic() + 60
        while not (LOG.exists() and "opened again" in LOG.read_text()):
            assert time.monotonic() < deadline, "the log's file was not opened again"
            time.sleep(0.05)
        expect("reload opens the log's file again", (True, None), (old.stat().st_size > 0, running.process.poll()))
        # The new version is put in place while the old one serves.
        run("dpkg", "-i", packages[1])
        expect("GET during the upgrade", "hello", cli(port, "GET", "greeting"))
    expect("version", f"{packages[1].name.split('_')[1]}", run("dpkg-query", "-W", "-f", "${Version}", "lokikv").stdout)
    expect("the edited configuration is kept", True, CONFIG.read_text() == edited)
    expect("owner of it", "root:lokikv 640", mode_of(CONFIG))
    with service(place):
        expect("GET after the upgrade", "hello", cli(port, "GET", "greeting"))

    run("dpkg", "-r", "lokikv")
    expect("program and unit after removal", (False, False), (PROGRAM.exists(), UNIT.exists()))
    expect("configuration after removal", True, CONFIG.read_text() == edited)
    done = run("dpkg", "-P", "lokikv")
    expect("configuration after purging", False, CONFIG.parent.exists())
    expect("data after purging", True, (STATE / "data").is_dir())
    expect("purging tells of it", True, f"the data in {STATE} is still there" in done.stdout)
    # One that never held any leaves nothing.
    shutil.rmtree(STATE / "data")
    for log in STATE.glob("server.*"):
        log.unlink()
    run("dpkg", "-i", packages[1])
    run("dpkg", "-P", "lokikv")
    expect("an empty folder after purging", False, STATE.exists())


def main() -> None:
    if os.geteuid() != 0:
        sys.exit("only root can install packages")
    installed = run("dpkg-query", "-W", "-f", "${Status}", "lokikv", check=False)
    if installed.returncode == 0 and not installed.stdout.startswith("unknown") or CONFIG.parent.exists() or STATE.exists():
        sys.exit(f"there is a LokiKV on this machine (package, {CONFIG.parent} or {STATE}): nothing was changed")
    started = time.monotonic()
    binary = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="lokikv-debian.") as name:
        place = Path(name)
        place.chmod(0o755)
        try:
            packages = []
            for revision in (1, 2):
                packages.append(build(binary, revision))
            check(packages, place)
        finally:
            run("dpkg", "-P", "lokikv", check=False)
            shutil.rmtree(STATE, ignore_errors=True)
            run("deluser", "--quiet", "--system", "lokikv", check=False)
    print(f"Debian package: ok, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
