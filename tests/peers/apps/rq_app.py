#!/usr/bin/env python3
"""Stock RQ, its workers and its scheduler against a server: `rq_app.py HOST PORT`. Empties that server."""

import datetime
import math
import os
import sys
import time

import redis
import rq
from rq.exceptions import DuplicateJobError
from rq.job import Job
from rq.registry import DeferredJobRegistry, FailedJobRegistry, FinishedJobRegistry, ScheduledJobRegistry
from rq.scripts import acquire_or_refresh_lock, release_lock

from shared import HOST, PORT, SLACK, URL, at_once, check, checked, raises, run, start_worker, stop_worker, until

os.environ["APP_URL"] = URL
import rq_jobs  # noqa: E402: it reads where the server is

connection = redis.Redis(HOST, PORT)


def start(*arguments):
    return start_worker(sys.executable, "-m", "rq.cli", "worker", "--url", URL, *arguments)


def burst(*queues):
    """One worker alone does what there is, and ends."""
    check("exit code", start("--burst", *queues).wait(60), 0)


def done(jobs):
    until("all jobs ended", lambda: all(job.get_status(refresh=True) in ("finished", "failed") for job in jobs))
    return [job.return_value() for job in jobs]


def one_worker(r):
    queue = rq.Queue("ordered", connection=connection)
    first = [queue.enqueue(rq_jobs.named, f"in:{number}") for number in range(5)]
    queue.enqueue(rq_jobs.named, "front", at_front=True)
    parent = queue.enqueue(rq_jobs.named, "parent", depends_on=first)
    child = queue.enqueue(rq_jobs.named, "child", depends_on=parent)
    check("deferred", set(DeferredJobRegistry(queue=queue).get_job_ids()), {parent.id, child.id})
    bad = queue.enqueue(rq_jobs.failing, "bad", 1)
    stuck = queue.enqueue(rq_jobs.named, "never", depends_on=bad)
    anyway = rq.job.Dependency(jobs=[bad], allow_failure=True)
    queue.enqueue(rq_jobs.named, "anyway", depends_on=anyway)
    queue.enqueue(rq_jobs.named, "last")
    burst("ordered")
    order = ["front", *(f"in:{number}" for number in range(5)), "last", "parent", "anyway", "child"]
    ended = r.lrange("ended", 0, -1)
    check("each once", sorted(ended), sorted(order))
    check("first in, first out", ended[:6], order[:6])
    check("parents first", ended.index("child") > ended.index("parent") > ended.index("in:4"), True)
    failed = FailedJobRegistry(queue=queue)
    check("failed", (failed.get_job_ids(), stuck.get_status()), ([bad.id], "deferred"))
    check("why", "ValueError: failure 1" in bad.latest_result().exc_string, True)
    failed.requeue(bad.id)
    burst("ordered")
    check("tried again", (bad.get_status(), bad.return_value()), ("finished", 2))
    check("what waited for it", (stuck.get_status(), r.lindex("ended", -1)), ("finished", "never"))
    queue.enqueue_many([rq.Queue.prepare_data(rq_jobs.named, ("x",)) for _ in range(50)])
    check("emptied by a script", (queue.empty(), queue.count), (50, 0))
    left = [key for key in r.scan_iter("rq:job:*", _type="hash") if key.count(":") == 2]
    check("with its jobs", len(left), 12)
    checked("order, dependencies, failures and their second try, an emptied queue")


def many_workers(r):
    queue = rq.Queue("many", connection=connection)
    jobs = [queue.enqueue(rq_jobs.double, number) for number in range(40)]
    check("results", done(jobs), [2 * number for number in range(40)])
    check("each once", sorted(map(int, r.lrange("doubled", 0, -1))), list(range(40)))
    until("all registered", lambda: FinishedJobRegistry(queue=queue).count == 40)
    check("by more than one", r.scard("workers") > 1, True)

    def enqueue(index):
        try:
            queue.enqueue_call(rq_jobs.double, (100,), job_id="one", unique=True)
            return 1
        except DuplicateJobError:
            return 0

    check("one of a name", sum(at_once(10, enqueue)), 1)
    until("done", lambda: Job.fetch("one", connection).get_status() == "finished")
    check("once", r.lrange("doubled", 40, -1), ["100"])
    checked("40 jobs of three workers, each once; a name is given once")


def rates(r):
    queue = rq.Queue("many", connection=connection)
    limit = rq.RateLimit("slow", concurrency=2)
    jobs = [queue.enqueue(rq_jobs.limited, number, result_ttl=500) for number in range(3)]
    done(jobs)
    check("without a limit", len(r.lrange("at-a-time", 0, -1)), 3)
    r.delete("at-a-time")
    jobs = [queue.enqueue_call(rq_jobs.limited, (number,), rate_limit=limit) for number in range(14)]
    check("results", done(jobs), list(range(14)))
    seen = list(map(int, r.lrange("at-a-time", 0, -1)))
    check("at a time", (len(seen), set(seen) <= {1, 2}, r.get("running")), (14, True, "0"))
    until("slots are free", lambda: not r.exists("rq:rl:slow:allowed", "rq:rl:slow:rate_limited"))
    checked("14 jobs of three workers, no more than 2 at a time")


def times(r):
    queue = rq.Queue("many", connection=connection)
    start = time.time()
    queue.enqueue_in(datetime.timedelta(seconds=2), rq_jobs.timed, "later")
    queue.enqueue(rq_jobs.failing, "fails", 2, retry=rq.Retry(max=3, interval=1))
    hopeless = queue.enqueue(rq_jobs.failing, "hopeless", 9, retry=rq.Retry(max=1))
    queue.enqueue(rq_jobs.timed, "repeated", repeat=rq.Repeat(times=2, interval=1))
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    queue.enqueue_at(at, rq_jobs.timed, "far", job_id="far", unique=True)
    call = lambda: queue.enqueue_at(at, rq_jobs.timed, "far", job_id="far", unique=True)
    raises(DuplicateJobError, "Job with ID 'far' already exists", call)
    wanted = {"later": 1, "fails": 3, "hopeless": 2, "repeated": 3}
    until("all ran", lambda: all(r.llen(f"times:{name}") >= count for name, count in wanted.items()))
    until("all ended", lambda: queue.count == 0 and hopeless.get_status(refresh=True) == "failed")
    check("as often as wanted", {name: r.llen(f"times:{name}") for name in wanted}, wanted)
    # RQ keeps whole seconds.
    early = lambda name, after: float(r.lindex(f"times:{name}", -1)) < math.floor(start + after) - SLACK
    check("too early", [early("later", 2), early("fails", 2), early("repeated", 2)], [False] * 3)
    check("still to come", ScheduledJobRegistry(queue=queue).get_job_ids(), ["far"])
    check("of the scheduler", 0 < r.ttl("rq:scheduler-lock:many") <= 120, True)
    checked("scheduled, repeated and retried jobs, as often as wanted, none early")


def locks(r):
    check("acquired", acquire_or_refresh_lock(connection, "lock", "mine", 100), "acquired")
    check("refreshed", acquire_or_refresh_lock(connection, "lock", "mine", 200), "refreshed")
    check("taken", acquire_or_refresh_lock(connection, "lock", "theirs", 300), "taken")
    check("its time", 100 < r.ttl("lock") <= 200, True)
    check("not theirs", (release_lock(connection, "lock", "theirs"), r.get("lock")), (False, "mine"))
    check("mine", (release_lock(connection, "lock", "mine"), r.exists("lock")), (True, 0))
    r.script_flush()
    check("after SCRIPT FLUSH", acquire_or_refresh_lock(connection, "lock", "mine", 100), "acquired")
    checked("locks of RQ, after SCRIPT FLUSH, too")


def main(r):
    one_worker(r)
    workers = [start("--with-scheduler", "many") for _ in range(3)]
    until("they are there", lambda: len(rq.Worker.all(connection)) == 3)
    many_workers(r)
    r.script_flush()
    rates(r)
    times(r)
    for worker in workers:
        stop_worker(worker)
    locks(r)


run("rq", 120, main)
