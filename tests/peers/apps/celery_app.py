#!/usr/bin/env python3
"""Stock Celery with broker and results at a server: `celery_app.py HOST PORT`. Empties that server."""

import os
import sys
import time

import redis
from celery import chain, chord, group
from celery.exceptions import ChordError, TaskRevokedError

from shared import HOST, PORT, SLACK, URL, check, checked, raises, run, start_worker, stop_worker, until

os.environ["APP_URL"] = URL
from celery_tasks import add, app, dies_once, endless, fails, flaky, limited, named, total, total_of_all  # noqa: E402

WAIT = 90


def in_database(number):
    return redis.Redis(HOST, PORT, db=number)


def get(result):
    return result.get(timeout=WAIT)


def tasks(r):
    results = [add.delay(number, number) for number in range(150)]
    check("results", [get(result) for result in results], [2 * number for number in range(150)])
    check("each once", sorted(r.lrange("added", 0, -1)), sorted(f"{number}+{number}" for number in range(150)))
    failed = fails.delay()
    raises(ValueError, "no good", lambda: get(failed))
    check("states", (results[0].state, failed.state), ("SUCCESS", "FAILURE"))
    check("kept for a day", 0 < in_database(2).ttl(f"celery-task-meta-{failed.id}") <= 86400, True)
    failed.forget()
    check("forgotten", failed.state, "PENDING")
    checked("150 tasks of four processes, each once, their results and failures")


def canvas(r):
    check("chain", get(chain(add.s(1, 2), add.s(3), add.s(4))()), 10)
    check("group", get(group(add.s(number, 1) for number in range(30))()), list(range(1, 31)))
    chords = [chord([add.s(each, number) for number in range(20)])(total.s(name=f"chord:{each}")) for each in range(8)]
    check("chords", [get(result) for result in chords], [20 * each + 190 for each in range(8)])
    check("each body once", sorted(r.lrange("totals", 0, -1)), [f"chord:{each}" for each in range(8)])
    nested = chain(add.s(1, 1), group(add.s(number) for number in range(10)), total.s(name="nested"), add.s(100))
    check("a chord within a chain", get(nested()), 2 * 10 + 45 + 100)
    inner = [chain(add.s(number, 1), add.s(1)) for number in range(5)]
    inner.append(group(add.s(number, 0) for number in range(3)))
    check("header of chains and groups", get(chord(inner)(total_of_all.s())), 2 + 3 + 4 + 5 + 6 + 0 + 1 + 2)
    bad = chord([add.s(1, 1), fails.s(), add.s(2, 2)])(total.s(name="never"))
    error = bad.get(timeout=WAIT, propagate=False)
    check("a chord that fails", (type(error), str(error)[-28:]), (ChordError, "raised ValueError('no good')"))
    check("bodies", sorted(r.lrange("totals", 0, -1)), [*(f"chord:{each}" for each in range(8)), "nested"])
    r.script_flush()
    check("after SCRIPT FLUSH", get(chord([add.s(1, number) for number in range(5)])(total.s(name="again"))), 15)
    checked("chains, groups and chords: each body once, after all of its header")


def times(r):
    start = time.time()
    results = [named.apply_async((f"in:{ms}",), countdown=ms / 1000) for ms in (1500, 500, 1000)]
    retried = flaky.delay("fails", 2, 0.5)
    hopeless = flaky.delay("hopeless", 9, 0)
    [get(result) for result in results]
    at = {ms: list(map(float, r.lrange(f"times:in:{ms}", 0, -1))) for ms in (500, 1000, 1500)}
    check("each once", [len(ran) for ran in at.values()], [1, 1, 1])
    check("too early", [ms for ms, ran in at.items() if ran[0] < start + ms / 1000 - SLACK], [])
    check("retried", get(retried), 3)
    tries = list(map(float, r.lrange("times:fails", 0, -1)))
    check("not too early", [after - before >= 0.5 - SLACK for before, after in zip(tries, tries[1:])], [True, True])
    raises(ValueError, "failure 4", lambda: get(hopeless))
    check("tries", r.llen("times:hopeless"), 4)
    checked("countdowns and retries, as often as wanted, none early")


def revoked(r):
    # Its worker knows that it is revoked before it gets it.
    answers = app.control.revoke("far", reply=True, limit=1, timeout=60)
    check("told", ["ok" in answer for reply in answers for answer in reply.values()], [True])
    far = named.apply_async(("far",), task_id="far", countdown=0.5)
    raises(TaskRevokedError, "revoked", lambda: get(far))
    running = endless.delay("endless")
    until("it has started", lambda: r.lrange("started", 0, -1) == ["endless"])
    running.revoke(terminate=True, signal="SIGKILL")
    raises(TaskRevokedError, "terminated", lambda: get(running))
    check("never ran", (r.exists("times:far"), far.state, running.state), (0, "REVOKED", "REVOKED"))
    checked("tasks revoked before they run, and while they run")


def lost(r):
    check("a lost process", get(dies_once.delay("dies")), "dies")
    check("ran", r.llen("times:dies"), 2)
    start = time.time()
    check("limited", sorted(get(group(limited.s(number) for number in range(9))())), list(range(9)))
    ran = sorted(map(float, r.lrange("limited", 0, -1)))
    check("rate", (len(ran), ran[-1] - start >= 8 / 4 - 0.5), (9, True))
    pongs = app.control.ping(timeout=60, limit=1)
    check("ping", [list(answer.values()) for answer in pongs], [[{"ok": "pong"}]])
    [stats] = app.control.inspect(timeout=60, limit=1).stats().values()
    check("totals", stats["total"]["celery_tasks.fails"], 2)
    checked("a task of a lost process runs again; rate limits; the worker answers")


def main(r):
    worker = start_worker(
        sys.executable, "-m", "celery", "-A", "celery_tasks", "worker", "--concurrency", "4", "--loglevel", "INFO"
    )
    for section in (tasks, canvas, times, revoked, lost):
        section(r)
    stop_worker(worker)
    unfinished = [key for key in ("tasks", "unacked", "unacked_index") if in_database(1).exists(key)]
    check("left at the broker", unfinished, [])


run("celery", 130, main)
