"""The jobs of rq_app.py, done by its workers; each notes at the server that it ran."""

import os
import time

import redis

r = redis.Redis.from_url(os.environ["APP_URL"], decode_responses=True)


def double(number):
    r.rpush("doubled", number)
    r.sadd("workers", os.getppid())
    return number * 2


def named(name):
    r.rpush("ended", name)
    return name


def timed(name):
    r.rpush(f"times:{name}", time.time())


def failing(name, failures):
    """Fails as often as that, and then gives how often it was tried."""
    tries = r.rpush(f"times:{name}", time.time())
    if tries <= failures:
        raise ValueError(f"failure {tries}")
    return tries


def limited(name):
    r.rpush("at-a-time", r.incr("running"))
    time.sleep(0.05)
    r.decr("running")
    return name
