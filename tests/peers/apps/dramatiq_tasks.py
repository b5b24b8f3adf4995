"""The actors of dramatiq_app.py, done by its workers; each notes at the server that it ran."""

import os
import time

import dramatiq
import redis
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend as RatesBackend
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend as ResultsBackend

URL = os.environ["APP_URL"]
r = redis.Redis.from_url(URL, decode_responses=True)
# What a lost worker held goes back soon, when another looks for it, which it does by chance.
broker = RedisBroker(url=f"{URL}/1", heartbeat_timeout=15_000, maintenance_chance=500_000)
results = ResultsBackend(url=f"{URL}/2?socket_timeout=60")
rates = RatesBackend(url=f"{URL}/3")
broker.add_middleware(Results(backend=results))
broker.add_middleware(GroupCallbacks(rates))
dramatiq.set_broker(broker)
two_at_once = ConcurrentRateLimiter(rates, "two", limit=2)


@dramatiq.actor(store_results=True)
def add(x, y):
    r.rpush("added", f"{x}+{y}")
    return x + y


@dramatiq.actor(store_results=True)
def total(numbers):
    return sum(numbers)


@dramatiq.actor
def timed(name):
    r.rpush(f"times:{name}", time.time())


@dramatiq.actor(store_results=True, max_retries=3, min_backoff=200, max_backoff=300)
def failing(name, failures):
    tries = r.rpush(f"times:{name}", time.time())
    if tries <= failures:
        raise ValueError(f"failure {tries}")
    return tries


@dramatiq.actor(min_backoff=20, max_backoff=50, max_retries=None)
def limited(number):
    with two_at_once.acquire():
        r.rpush("at-a-time", r.incr("running"))
        time.sleep(0.05)
        r.decr("running")
    r.rpush("limited", number)


@dramatiq.actor
def holds(name):
    """Whoever runs it first is lost with it."""
    if r.rpush(f"times:{name}", time.time()) == 1:
        time.sleep(600)


@dramatiq.actor
def finished():
    r.rpush("finished", time.time())
