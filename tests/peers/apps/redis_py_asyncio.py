#!/usr/bin/env python3
"""Stock redis-py under asyncio, by both protocols: `redis_py_asyncio.py HOST PORT`. Empties that server.

Its cache of what it has read works without asyncio only, and is tried so.
"""

import asyncio
import time

import redis
import redis.asyncio
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection
from redis.exceptions import LockNotOwnedError, ResponseError, WatchError

from shared import HOST, PORT, SLACK, at_once, calls_of, check, checked, run, until

WAIT = 20


async def until_awaited(what, condition):
    end = time.monotonic() + WAIT
    while not (got := await condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {WAIT} s: {what}")
        await asyncio.sleep(0.02)
    return got


async def pipelines(client, protocol):
    async with client.pipeline(transaction=False) as pipe:
        for number in range(1000):
            pipe.rpush("many", number)
        check("replies in order", await pipe.execute(), list(range(1, 1001)))
    async with client.pipeline(transaction=True) as pipe:
        pipe.set("text", "x").incr("text").hset("hash", mapping={"a": "1", "b": "2"}).hgetall("hash")
        pipe.sadd("set", "x", "y").smembers("set").zadd("zset", {"m": 1.5, "n": 2}).zscore("zset", "m")
        replies = await pipe.execute(raise_on_error=False)
    check("the error", type(replies.pop(1)), ResponseError)
    check("replies", replies, [True, 2, {"a": "1", "b": "2"}, 2, {"x", "y"}, 2, 1.5])

    async def count(_):
        lost = 0
        for _ in range(10):
            while True:
                async with client.pipeline() as pipe:
                    await pipe.watch("counter")
                    value = int(await pipe.get("counter") or 0)
                    pipe.multi()
                    pipe.set("counter", value + 1)
                    try:
                        await pipe.execute()
                        break
                    except WatchError:
                        lost += 1
        return lost

    lost = await asyncio.gather(*map(count, range(10)))
    check("counted", (await client.get("counter"), sum(lost) > 0), ("100", True))
    checked(f"RESP{protocol}: pipelines, and 100 transactions of 10 tasks that watch one key, none lost")


async def listen(pubsub, wanted):
    got = []
    while len(got) < wanted:
        message = await asyncio.wait_for(pubsub.get_message(ignore_subscribe_messages=True, timeout=WAIT), WAIT)
        if message:
            got.append((message["type"], message["channel"], message["data"]))
    return got


async def subscriptions(client, protocol):
    channels, patterns = [[client.pubsub() for _ in range(3)] for _ in range(2)]
    for each in channels:
        await each.subscribe("news")
        await each.subscribe("other")
    for each, pattern in zip(patterns, ("ne*", "n?ws", "*[rs]")):
        await each.psubscribe(pattern)

    async def there(count):
        return await client.pubsub_numsub("news") == [("news", count)] and await client.pubsub_numpat() == count

    async def tell(text, count):
        """All get all of it, in order, also when much of it comes at once."""
        numbers = [f"{text}:{number}" for number in range(count)]
        reading = [asyncio.create_task(listen(each, count)) for each in channels + patterns]
        async with client.pipeline(transaction=False) as pipe:
            for number in numbers:
                pipe.publish("news", number)
            check("receivers", await pipe.execute(), [6] * count)
        got = await asyncio.gather(*reading)
        check("messages", got[0], [("message", "news", number) for number in numbers])
        check("messages of patterns", got[3], [("pmessage", "news", number) for number in numbers])
        check("all the same", [each in (got[0], got[3]) for each in got], [True] * 6)

    await until_awaited("subscribed", lambda: there(3))
    await tell("first", 300)
    killed = await client.client_kill_filter(_type="pubsub")
    check("killed", killed, 6)
    await until_awaited("gone", lambda: there(0))
    # Whoever reads finds the connection lost, and subscribes again.
    reading = [asyncio.create_task(each.get_message(timeout=0.5)) for each in channels + patterns]
    await asyncio.gather(*reading)
    await until_awaited("subscribed again", lambda: there(3))
    await tell("second", 300)
    for each in channels + patterns:
        await each.aclose()
    await until_awaited("ended", lambda: there(0))
    checked(f"RESP{protocol}: 600 messages to each of 6 subscribers, who come back when their connections are killed")


async def locks(client, protocol):
    inside = most = 0

    async def turn(_):
        nonlocal inside, most
        for _ in range(5):
            async with client.lock("lock", timeout=60, sleep=0.005):
                inside += 1
                most = max(most, inside)
                value = int(await client.get("turns") or 0)
                await asyncio.sleep(0.001)
                await client.set("turns", value + 1)
                inside -= 1

    await asyncio.gather(*map(turn, range(8)))
    check("turns", (await client.get("turns"), most, await client.exists("lock")), ("40", 1, 0))
    mine, theirs = client.lock("owned", timeout=60), client.lock("owned", timeout=60)
    check("acquired", (await mine.acquire(), await theirs.acquire(blocking_timeout=0.2)), (True, False))
    check("extended", (await mine.extend(100), 60 < await client.ttl("owned") <= 160), (True, True))
    await client.set("owned", "stolen")
    try:
        await mine.release()
        raise AssertionError("released what is another's")
    except LockNotOwnedError:
        check("not released", await client.get("owned"), "stolen")
    checked(f"RESP{protocol}: 40 turns of 8 tasks under a lock, one at a time")


async def blocking(client, protocol):
    got = []

    async def consume(_):
        while (item := await client.blpop(["first", "second"], timeout=10))[1] != "end":
            got.append(item)

    consumers = [asyncio.create_task(consume(number)) for number in range(10)]
    for number in range(200):
        await client.rpush("second" if number % 2 else "first", number)
    await client.rpush("second", *["end"] * 10)
    await asyncio.gather(*consumers)
    check("each once", sorted(int(value) for _, value in got), list(range(200)))
    start = time.time()
    check("nothing came", await client.bzpopmin("nothing", timeout=0.3), None)
    check("waited", time.time() - start >= 0.3 - SLACK, True)
    waiting = asyncio.create_task(client.blmove("from", "to", 0, "LEFT", "RIGHT"))

    async def blocked(count):
        return (await client.info("clients"))["blocked_clients"] == count

    await until_awaited("blocked", lambda: blocked(1))
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await until_awaited("given up", lambda: blocked(0))
    await client.rpush("from", "kept")
    check("kept", (await client.lrange("from", 0, -1), await client.exists("to")), (["kept"], 0))
    checked(f"RESP{protocol}: 200 items to 10 that block, each once; what gave up waiting takes nothing")


def entries_of(read):
    """Of one stream; by RESP3 it is a dict whose values are lists of such lists."""
    return read["stream"][0] if isinstance(read, dict) else read[0][1]


async def groups(client, protocol):
    await client.xgroup_create("stream", "group", id="0", mkstream=True)
    seen = []

    async def consume(name):
        while True:
            read = await client.xreadgroup("group", name, {"stream": ">"}, count=7, block=5000)
            for id, fields in entries_of(read):
                if fields["n"] == "end":
                    return await client.xack("stream", "group", id)
                seen.append(int(fields["n"]))
                # What one leaves, another claims.
                if int(fields["n"]) % 10:
                    await client.xack("stream", "group", id)

    consumers = [asyncio.create_task(consume(f"c{number}")) for number in range(5)]
    for number in range(150):
        await client.xadd("stream", {"n": number})
    while any(not each.done() for each in consumers):
        await client.xadd("stream", {"n": "end"})
        await asyncio.sleep(0.02)
    await asyncio.gather(*consumers)
    check("each once", sorted(seen), list(range(150)))
    claimed = await client.xautoclaim("stream", "group", "other", min_idle_time=0, count=1000)
    left = sorted(int(fields["n"]) for _, fields in claimed[1] if fields["n"] != "end")
    check("claimed", left, list(range(0, 150, 10)))
    checked(f"RESP{protocol}: 150 entries to a group of 5, each once, and what none acknowledged is claimed")


async def everything(protocol):
    # What blocks may do so for longer than it would wait for an answer.
    client = redis.asyncio.Redis(host=HOST, port=PORT, protocol=protocol, decode_responses=True, socket_timeout=60)
    for section in (pipelines, subscriptions, locks, blocking, groups):
        await client.flushall()
        await section(client, protocol)
    await client.aclose()


def resp2(_):
    asyncio.run(everything(2))


def resp3(_):
    asyncio.run(everything(3))


def caching(r):
    # It wants a server that says it is Redis 7.4 or later; what it needs is there in Redis 6.
    CacheProxyConnection.MIN_ALLOWED_VERSION = "7.0.0"
    cached = redis.Redis(HOST, PORT, protocol=3, decode_responses=True, cache_config=CacheConfig())
    r.mset({f"key:{number}": number for number in range(50)})
    asked = calls_of(r, ["get"])
    for _ in range(20):
        check("values", [cached.get(f"key:{number}") for number in range(50)], [str(each) for each in range(50)])
    check("asked once for each", calls_of(r, ["get"]) - asked, 50)
    for number in range(50):
        r.set(f"key:{number}", -number)
        # The word that it has changed comes by another connection than the answer.
        until("the new one", lambda: cached.get(f"key:{number}") == str(-number))
    r.set("key:1", "gone", px=50)
    until("before its end", lambda: cached.get("key:1") in ("gone", None))
    until("after its end", lambda: cached.get("key:1") is None)
    r.flushall()
    until("after FLUSHALL", lambda: cached.get("key:2") is None)

    def latest(index):
        """Whoever was told of a write reads it, and none that is older."""
        mine = redis.Redis(HOST, PORT, protocol=3, cache_config=CacheConfig())
        seen = 0
        for number in range(100):
            if index == 0:
                mine.set("rising", number)
            value = int(mine.get("rising") or 0)
            check("never back", value >= seen, True)
            seen = value
        return True

    check("readers", at_once(5, latest), [True] * 5)
    checked("what is cached is asked for once, and again once it has changed, expired or been flushed")


run("redis", 150, resp2, resp3, caching, uses=("exec", "publish", "evalsha", "client|tracking"))
