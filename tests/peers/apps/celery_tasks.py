"""The tasks of celery_app.py, done by its worker; each notes at the server that it ran."""

import os
import signal
import time

import celery
import redis

URL = os.environ["APP_URL"]
r = redis.Redis.from_url(URL, decode_responses=True)
app = celery.Celery("tasks", broker=f"{URL}/1", backend=f"{URL}/2")
app.conf.update(
    broker_connection_retry_on_startup=True,
    broker_transport_options={"visibility_timeout": 3600},
    task_default_queue="tasks",
    task_track_started=True,
    worker_prefetch_multiplier=1,
)


@app.task
def add(x, y):
    r.rpush("added", f"{x}+{y}")
    return x + y


@app.task
def total(numbers, name="total"):
    r.rpush("totals", name)
    return sum(numbers)


@app.task
def total_of_all(numbers):
    return sum(sum(each) if isinstance(each, list) else each for each in numbers)


@app.task
def named(name):
    r.rpush(f"times:{name}", time.time())
    return name


@app.task(bind=True, max_retries=3)
def flaky(self, name, failures, countdown):
    tries = r.rpush(f"times:{name}", time.time())
    if tries <= failures:
        raise self.retry(exc=ValueError(f"failure {tries}"), countdown=countdown)
    return tries


@app.task
def fails():
    raise ValueError("no good")


@app.task
def endless(name):
    r.rpush("started", name)
    time.sleep(600)


@app.task(acks_late=True, reject_on_worker_lost=True)
def dies_once(name):
    """The process that runs it first is lost; another must run it again."""
    if r.rpush(f"times:{name}", time.time()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return name


@app.task(rate_limit="4/s")
def limited(number):
    r.rpush("limited", time.time())
    return number
