"""The tasks of huey_app.py, done by its consumers; each notes at the server that it ran."""

import os
import time

import redis
from huey import PriorityRedisHuey
from huey.exceptions import TaskLockedException

URL = os.environ["APP_URL"]
r = redis.Redis.from_url(URL, decode_responses=True)
huey = PriorityRedisHuey("app", url=f"{URL}/1")


@huey.on_startup()
def ready():
    r.rpush("ready", os.getpid())


@huey.task()
def add(x, y):
    r.rpush("added", f"{x}+{y}")
    r.sadd("workers", os.getpid())
    return x + y


@huey.task()
def total(*numbers):
    return sum(numbers)


@huey.task()
def numbered(name):
    r.rpush("order", name)


@huey.task()
def timed(name):
    r.rpush(f"times:{name}", time.time())
    return name


@huey.task(retries=3, retry_delay=1)
def failing(name, failures):
    tries = r.rpush(f"times:{name}", time.time())
    if tries <= failures:
        raise ValueError(f"failure {tries}")
    return tries


@huey.task(retries=500)
def locked(number):
    """What finds the lock taken comes again."""
    try:
        with huey.lock_task("one"):
            r.rpush("at-a-time", r.incr("running"))
            time.sleep(0.02)
            r.decr("running")
    except TaskLockedException:
        time.sleep(0.01)
        raise
    r.rpush("locked", number)
    return number
