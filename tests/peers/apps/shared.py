"""What the applications under Python share: `APP.py HOST PORT`, packages found through PYTHONPATH.

Deadlines are generous and only guard against hanging; what is checked does not depend on the machine's speed.
"""

import importlib.metadata
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import threading
import time

import redis

HOST, PORT = sys.argv[1], int(sys.argv[2])
APP = pathlib.Path(sys.argv[0]).stem
URL = f"redis://{HOST}:{PORT}"
# The server's clock and this one are the same, but may be read at other times.
SLACK = 0.01
# The commands by which scripts are run.
SCRIPTS = ("eval", "evalsha", "fcall")
_workers = []


def check(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {got!r}")


def raises(kind, text, call):
    """`call` must raise `kind`, its message beginning with `text`."""
    try:
        got = call()
    except kind as error:
        check("error text", str(error)[: len(text)], text)
        return error
    raise AssertionError(f"wanted {kind.__name__}({text!r}), got {got!r}")


def checked(what):
    """Tells what has been shown; a section that says nothing has shown nothing."""
    print(f"{APP}: {what}", flush=True)


def until(what, condition, seconds=60):
    """Waits until `condition` gives something true, and gives that."""
    end = time.monotonic() + seconds
    while not (got := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.02)
    return got


def at_once(count, call):
    """Runs `call(index)` in `count` threads, and gives what they gave."""
    results, errors = [None] * count, []

    def body(index):
        try:
            results[index] = call(index)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=body, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def start_worker(*command):
    """A process of the application; its output is shown if the run fails."""
    log = tempfile.TemporaryFile()
    path = os.pathsep.join([str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "APP_URL": URL}
    process = subprocess.Popen(
        command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=environment, start_new_session=True
    )
    _workers.append((process, log))
    return process


def stop_worker(process):
    """Stopped by SIGTERM, a worker ends its jobs and leaves with 0."""
    process.terminate()
    check("exit code of a worker", process.wait(60), 0)


def _end_workers(show):
    for process, log in _workers:
        # Its own children, too: they would take part in the next run.
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()
        if show:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))


def calls_of(r, commands):
    stats = r.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in commands)


def run(package, seconds, *sections, uses=SCRIPTS):
    """Runs a whole application: each section must have used one of these commands, and all be done within `seconds`."""

    def too_late():
        print(f"{APP}: no end after {seconds} s", file=sys.stderr)
        _end_workers(show=True)
        os._exit(1)

    # Whoever ends the run does not know of its workers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    watchdog = threading.Timer(seconds, too_late)
    watchdog.daemon = True
    watchdog.start()
    r = redis.Redis(HOST, PORT, decode_responses=True)
    r.flushall()
    before = calls_of(r, uses)
    passed = False
    try:
        for section in sections:
            called = calls_of(r, uses)
            section(r)
            check(f"{section.__name__} has called {'/'.join(uses)}", calls_of(r, uses) > called, True)
        passed = True
    finally:
        _end_workers(show=not passed)
    total = calls_of(r, uses) - before
    r.flushall()
    print(f"{APP} {importlib.metadata.version(package)}: ok, {total} calls of {'/'.join(uses)}", flush=True)
    # What an application has left open must neither keep the run alive nor complain at its end.
    os._exit(0)
