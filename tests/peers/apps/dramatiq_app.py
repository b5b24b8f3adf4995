#!/usr/bin/env python3
"""Stock dramatiq, its workers and its results at a server: `dramatiq_app.py HOST PORT`. Empties that server."""

import itertools
import os
import signal
import sys
import time

import redis
from dramatiq import group, pipeline
from dramatiq.rate_limits import Barrier, BucketRateLimiter, WindowRateLimiter
from dramatiq.results import ResultFailure

from shared import HOST, PORT, SLACK, URL, at_once, check, checked, raises, run, start_worker, stop_worker, until

os.environ["APP_URL"] = URL
import dramatiq_tasks as tasks  # noqa: E402: it reads where the server is

WAIT_MS = 20_000


def start(*arguments):
    return start_worker(sys.executable, "-m", "dramatiq", "dramatiq_tasks", "--threads", "4", *arguments)


def get(message):
    return message.get_result(block=True, timeout=WAIT_MS)


def messages(r):
    sent = [tasks.add.send(number, number) for number in range(200)]
    check("results", [get(each) for each in sent], [2 * number for number in range(200)])
    check("each once", sorted(r.lrange("added", 0, -1)), sorted(f"{number}+{number}" for number in range(200)))
    check("added up", get(tasks.total.send([1, 2, 3])), 6)
    check("a pipeline", get(pipeline([tasks.add.message(1, 2), tasks.add.message(3), tasks.add.message(4)]).run()), 10)
    many = group([tasks.add.message(number, 1) for number in range(30)])
    many.add_completion_callback(tasks.finished.message())
    many.run()
    check("a group", list(many.get_results(block=True, timeout=WAIT_MS)), list(range(1, 31)))
    until("its callback", lambda: r.llen("finished") == 1, 20)
    r.script_flush()
    check("after SCRIPT FLUSH", get(tasks.add.send(20, 22)), 42)
    checked("200 messages of two processes, each once; results, pipelines, a group and its end")


def times(r):
    start = time.time()
    for ms in (1200, 400, 800):
        tasks.timed.send_with_options(args=(f"in:{ms}",), delay=ms)
    retried, hopeless = tasks.failing.send("fails", 2), tasks.failing.send("hopeless", 9)
    check("retried", get(retried), 3)
    tries = list(map(float, r.lrange("times:fails", 0, -1)))
    # What it waits is between half of the least and the most that it may.
    check("not too early", [after - before >= 0.1 - SLACK for before, after in zip(tries, tries[1:])], [True, True])
    until("given up", lambda: r.llen("times:hopeless") == 4, 20)
    raises(ResultFailure, "actor raised ValueError: failure 4", lambda: get(hopeless))
    until("all ran", lambda: r.exists("times:in:400", "times:in:800", "times:in:1200") == 3, 20)
    at = {ms: list(map(float, r.lrange(f"times:in:{ms}", 0, -1))) for ms in (400, 800, 1200)}
    check("each once", [len(ran) for ran in at.values()], [1, 1, 1])
    check("too early", [ms for ms, ran in at.items() if ran[0] < start + ms / 1000 - SLACK], [])
    dead = redis.Redis(HOST, PORT, db=1)
    until("dead", lambda: dead.zcard("dramatiq:default.XQ") == 1, 20)
    checked("delays and retries, as often as wanted, none early; what fails for good is among the dead")


def rates(r):
    for number in range(12):
        tasks.limited.send(number)
    until("all ran", lambda: r.llen("limited") == 12, 20)
    seen = set(map(int, r.lrange("at-a-time", 0, -1)))
    check("at a time", (sorted(map(int, r.lrange("limited", 0, -1))), seen <= {1, 2}), (list(range(12)), True))

    def acquired(limiter):
        with limiter.acquire(raise_on_failure=False) as got:
            return got

    numbers = itertools.count()

    def within_a_second():
        """How many of 20 got through, in a list; `None` if they did not all ask within the same second."""
        window = WindowRateLimiter(tasks.rates, f"window:{next(numbers)}", limit=7, window=60)
        time.sleep(1 - time.time() % 1)
        second = int(time.time())
        got = sum(at_once(20, lambda _: acquired(window)))
        return [got] if int(time.time()) == second else None

    # Its keys are named by the second; who begins in one does not watch what others count in the next.
    check("a window", until("all ask within a second", within_a_second), [7])
    bucket = BucketRateLimiter(tasks.rates, "bucket", limit=5, bucket=60_000)
    check("a bucket", sum(at_once(20, lambda _: acquired(bucket))), 5)
    barrier = Barrier(tasks.rates, "barrier", ttl=60_000)
    check("made once", (barrier.create(parties=5), barrier.create(parties=3)), (True, False))
    check("the last of all", sorted(at_once(5, lambda _: barrier.wait(block=False))), [False] * 4 + [True])
    checked("12 messages, no more than 2 at a time; windows, buckets and a barrier asked by many at once")


def lost(r, workers):
    tasks.holds.send("held")
    until("it has started", lambda: r.llen("times:held") == 1, 20)
    for worker in workers:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    second = start("--processes", "1")
    until("it ran again", lambda: r.llen("times:held") == 2, 60)
    check("the next", get(tasks.add.send(1, 1)), 2)
    stop_worker(second)
    broker = redis.Redis(HOST, PORT, db=1)
    check("nothing left", [broker.llen(f"dramatiq:{queue}") for queue in ("default", "default.DQ")], [0, 0])
    checked("what killed workers held runs again, and nothing is left")


def main(r):
    workers = [start("--processes", "2")]
    messages(r)
    times(r)
    rates(r)
    lost(r, workers)


run("dramatiq", 150, main)
