"""The jobs of arq_app.py, done by its workers; each notes at the server that it ran."""

import asyncio
import os
import time

import redis
from arq import Retry, cron, func
from arq.connections import RedisSettings

r = redis.Redis.from_url(os.environ["APP_URL"], decode_responses=True)


async def ready(ctx):
    r.sadd("ready", os.getpid())


async def double(ctx, number):
    r.rpush("doubled", number)
    r.sadd("workers", os.getpid())
    await asyncio.sleep(0.01)
    return 2 * number


async def timed(ctx, name):
    r.rpush(f"times:{name}", time.time())


async def failing(ctx, name, failures, defer):
    tries = r.rpush(f"times:{name}", time.time())
    if tries <= failures:
        raise Retry(defer=defer)
    return tries


async def wrong(ctx):
    raise ValueError("no good")


async def endless(ctx):
    r.rpush("endless", os.getpid())
    await asyncio.sleep(600)


async def held(ctx):
    """Whoever runs it first is lost with it."""
    if r.rpush("held", os.getpid()) == 1:
        await asyncio.sleep(600)
    return "held"


async def tick(ctx):
    r.rpush("ticks", ctx["job_id"])


class WorkerSettings:
    functions = [double, timed, failing, func(wrong, max_tries=1), endless, held]
    cron_jobs = [cron(tick, second=set(range(60)), keep_result=0)]
    on_startup = ready
    redis_settings = RedisSettings.from_dsn(os.environ["APP_URL"])
    allow_abort_jobs = True
    max_tries = 4
    # What is in progress stays so for 10 s more than this.
    job_timeout = 1000
    poll_delay = 0.05
