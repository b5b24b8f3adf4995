#!/usr/bin/env python3
"""Stock arq and its workers at a server: `arq_app.py HOST PORT`. Empties that server."""

import asyncio
import os
import signal
import sys
import time

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job, JobStatus

from shared import HOST, PORT, SLACK, check, checked, run, start_worker, stop_worker

WAIT = 20


def start():
    return start_worker(sys.executable, "-m", "arq", "arq_jobs.WorkerSettings")


async def until(what, condition):
    end = time.monotonic() + WAIT
    while not (got := condition()):
        check(f"in time: {what}", time.monotonic() < end, True)
        await asyncio.sleep(0.02)
    return got


async def result(job):
    return await job.result(timeout=WAIT, poll_delay=0.05)


async def jobs(r, pool):
    sent = await asyncio.gather(*(pool.enqueue_job("double", number) for number in range(150)))
    check("results", await asyncio.gather(*map(result, sent)), [2 * number for number in range(150)])
    check("each once", sorted(map(int, r.lrange("doubled", 0, -1))), list(range(150)))
    check("by both", r.scard("workers"), 2)
    check("states", {await job.status() for job in sent}, {JobStatus.complete})
    one = await asyncio.gather(*(pool.enqueue_job("timed", "one", _job_id="one") for _ in range(10)))
    check("one of a name", len([job for job in one if job]), 1)
    bad = await pool.enqueue_job("wrong")
    try:
        await result(bad)
        raise AssertionError("a job that fails")
    except ValueError as error:
        check("its error", str(error), "no good")
    info = await sent[7].result_info()
    check("what is kept", (info.function, info.args, info.success, info.job_try), ("double", (7,), True, 1))
    checked("150 jobs of two workers, each once, their results and failures; a name is given once")


async def times(r, pool):
    begin = time.time()
    for ms in (1200, 400, 800):
        await pool.enqueue_job("timed", f"in:{ms}", _defer_by=ms / 1000)
    far = await pool.enqueue_job("timed", "far", _defer_by=3600)
    retried = await pool.enqueue_job("failing", "retried", 2, 0.3)
    hopeless = await pool.enqueue_job("failing", "hopeless", 9, 0)
    check("tried", await result(retried), 3)
    tries = list(map(float, r.lrange("times:retried", 0, -1)))
    check("not too early", [after - before >= 0.3 - SLACK for before, after in zip(tries, tries[1:])], [True, True])
    await until("all ran", lambda: r.exists("times:in:400", "times:in:800", "times:in:1200") == 3)
    at = {ms: list(map(float, r.lrange(f"times:in:{ms}", 0, -1))) for ms in (400, 800, 1200)}
    check("each once", [len(ran) for ran in at.values()], [1, 1, 1])
    check("too early", [ms for ms, ran in at.items() if ran[0] < begin + ms / 1000 - SLACK], [])
    try:
        await result(hopeless)
        raise AssertionError("a job that fails for good")
    except Exception as error:
        check("given up", (str(error), r.llen("times:hopeless")), ("max 4 retries exceeded", 4))
    waiting = [job.args for job in await pool.queued_jobs() if job.function == "timed"]
    check("still to come", (await far.status(), waiting), (JobStatus.deferred, [("far",)]))
    check("never", (await far.abort(timeout=WAIT, poll_delay=0.05), r.exists("times:far")), (True, 0))
    endless = await pool.enqueue_job("endless")
    await until("it has started", lambda: r.llen("endless") == 1)
    check("in progress", await endless.status(), JobStatus.in_progress)
    aborted = await endless.abort(timeout=WAIT, poll_delay=0.05)
    check("aborted", (aborted, await endless.status()), (True, JobStatus.complete))
    checked("deferred and retried jobs, none early, as often as wanted; aborted before and while they run")


async def ticks(r):
    """Both workers find the same moment; it is one job."""
    await until("it ticked", lambda: r.llen("ticks") >= 3)
    seen = r.lrange("ticks", 0, -1)
    check("once each second", len(seen), len(set(seen)))
    checked("a job of every second, done by one of two workers")


async def lost(r, pool, workers):
    job = await pool.enqueue_job("held")
    holder = int(await until("it has started", lambda: r.lindex("held", 0)))
    [first] = [worker for worker in workers if worker.pid == holder]
    # Told to end, it gives back what it has not done.
    first.send_signal(signal.SIGTERM)
    check("given back and done by the other", await result(job), "held")
    pids = [int(pid) for pid in r.lrange("held", 0, -1)]
    check("by both", (len(pids), pids[0] != pids[1]), (2, True))
    first.wait(WAIT)
    [stop_worker(worker) for worker in workers if worker is not first]
    job = await pool.enqueue_job("double", 1000)
    second = start()
    check("a worker that comes later", await result(job), 2000)
    os.killpg(second.pid, signal.SIGKILL)
    second.wait()
    check("what was done stays so", await Job(job.job_id, pool).result(timeout=1), 2000)
    checked("a worker that ends gives back its job; jobs wait for the next worker")


async def everything(r):
    pool = await create_pool(RedisSettings(HOST, PORT))
    workers = [start(), start()]
    await until("both are there", lambda: r.scard("ready") == 2)
    await jobs(r, pool)
    await times(r, pool)
    await ticks(r)
    await lost(r, pool, workers)
    await pool.aclose()


def main(r):
    asyncio.run(everything(r))


run("arq", 150, main, uses=("exec",))
