#!/usr/bin/env python3
"""Stock huey and its consumers at a server: `huey_app.py HOST PORT`. Empties that server."""

import os
import signal
import sys
import time

from huey.exceptions import TaskException, TaskLockedException

from shared import SLACK, URL, at_once, check, checked, run, start_worker, until

os.environ["APP_URL"] = URL
import huey_tasks as tasks  # noqa: E402: it reads where the server is

WAIT = 20
consumer = os.path.join(os.path.dirname(sys.modules["huey"].__file__), "bin", "huey_consumer.py")


def start(workers, kind):
    options = ("--workers", str(workers), "--worker-type", kind, "--scheduler-interval", "1", "--max-delay", "0.1")
    return start_worker(sys.executable, consumer, "huey_tasks.huey", *options)


def stop(process):
    """Told to, it ends what it has begun."""
    process.send_signal(signal.SIGINT)
    check("exit code of a consumer", process.wait(WAIT), 0)


def get(result):
    return result.get(blocking=True, timeout=WAIT, max_delay=0.05)


def tasks_done(r):
    sent = [tasks.add(number, number) for number in range(200)]
    check("results", [get(each) for each in sent], [2 * number for number in range(200)])
    check("each once", sorted(r.lrange("added", 0, -1)), sorted(f"{number}+{number}" for number in range(200)))
    check("by more than one", r.scard("workers") > 1, True)
    check("taken with their reading", tasks.huey.result_count(), 0)
    piped = tasks.huey.enqueue(tasks.add.s(1, 2).then(tasks.add, 3).then(tasks.add, 4))
    check("a pipeline", list(get(piped)), [3, 6, 10])
    mapped = tasks.add.map([(number, 1) for number in range(30)])
    check("mapped", mapped.get(blocking=True, timeout=WAIT), list(range(1, 31)))
    checked("200 tasks of two consumers, each once; results, pipelines")


def times(r):
    begin = time.time()
    for seconds in (1, 2):
        tasks.timed.schedule((f"in:{seconds}",), delay=seconds)
    far, revoked = tasks.timed.schedule(("far",), delay=3600), tasks.timed.schedule(("revoked",), delay=1)
    revoked.revoke()
    retried, hopeless = tasks.failing("retried", 2), tasks.failing("hopeless", 9)
    until("all ran", lambda: r.exists("times:in:1", "times:in:2") == 2, WAIT)
    at = {seconds: list(map(float, r.lrange(f"times:in:{seconds}", 0, -1))) for seconds in (1, 2)}
    check("each once", [len(ran) for ran in at.values()], [1, 1])
    check("too early", [seconds for seconds, ran in at.items() if ran[0] < begin + seconds - SLACK], [])
    until("all tries", lambda: r.llen("times:retried") == 3 and r.llen("times:hopeless") == 4, WAIT)
    tries = list(map(float, r.lrange("times:retried", 0, -1)))
    check("not too early", [after - before >= 1 - SLACK for before, after in zip(tries, tries[1:])], [True, True])
    ended = until("its error", lambda: _error(hopeless), WAIT)
    check("failed", ("failure" in ended, r.llen("times:hopeless")), (True, 4))
    check("still to come", [task.id for task in tasks.huey.scheduled()], [far.id])
    check("revoked", r.exists("times:revoked"), 0)
    check("its result", get(retried), 3)
    checked("scheduled, revoked and retried tasks, as often as wanted, none early")


def _error(result):
    """Its last error; those of the tries before are stored, too, and it keeps what it has read."""
    result.reset()
    try:
        return result.get() and None
    except TaskException as error:
        return str(error) if "failure 4" in str(error) else None


def locks(r):
    sent = [tasks.locked(number) for number in range(15)]
    until("all ran", lambda: r.llen("locked") == 15, WAIT)
    check("one at a time", set(r.lrange("at-a-time", 0, -1)), {"1"})
    check("each once", (sorted(map(int, r.lrange("locked", 0, -1))), len(sent)), (list(range(15)), 15))
    check("free", tasks.huey.is_locked("one"), False)

    def take(_):
        try:
            return tasks.huey.lock_task("shared").acquire()
        except TaskLockedException:
            return False

    check("one gets it", sum(at_once(10, take)), 1)
    checked("15 tasks under a lock, one at a time; one of 10 gets what is free")


def order(r):
    """What one worker finds, it takes by priority, and in the order of its coming."""
    for number in range(20):
        tasks.huey.enqueue(tasks.numbered.s(number, priority=number % 4))
    check("waiting", tasks.huey.pending_count(), 20)
    worker = start(1, "thread")
    until("all ran", lambda: r.llen("order") == 20, WAIT)
    wanted = sorted(range(20), key=lambda number: -(number % 4))
    check("by priority", list(map(int, r.lrange("order", 0, -1))), wanted)
    stop(worker)
    check("nothing left", (tasks.huey.pending_count(), tasks.huey.scheduled_count()), (0, 1))
    checked("20 tasks by their priority, which waited for a consumer")


def main(r):
    consumers = [start(3, "process"), start(3, "thread")]
    until("all workers are there", lambda: r.llen("ready") == 6, WAIT)
    tasks_done(r)
    times(r)
    locks(r)
    [stop(each) for each in consumers]
    order(r)


run("huey", 150, main, uses=("zadd", "zpopmin", "bzpopmin", "evalsha"))
