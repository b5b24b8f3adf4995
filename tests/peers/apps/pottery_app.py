#!/usr/bin/env python3
"""Stock pottery, its Redlock and its containers at a server: `pottery_app.py HOST PORT`. Empties that server.

Its three databases stand for the three servers of the algorithm.
"""

import asyncio
import time
import warnings

import pottery
import redis
import redis.asyncio
from pottery import (
    AIORedlock, BloomFilter, HyperLogLog, NextID, RedisCounter, RedisDeque, RedisDict, RedisList, RedisSet,
    RedisSimpleQueue, Redlock, redis_cache, synchronize,
)

from shared import HOST, PORT, at_once, check, checked, raises, run, until

masters = {redis.Redis(HOST, PORT, db=number) for number in range(3)}
plain = redis.Redis(HOST, PORT)
# It tells of what is slow by design.
warnings.simplefilter("ignore", pottery.InefficientAccessWarning)


def held(name):
    """By how many; what is asked of most servers may reach the last one later."""
    return sum(each.exists(f"redlock:{name}") for each in masters)


def free(name):
    return until(f"{name} is free", lambda: held(name) < 2, 20)


def locks(r):
    inside, most = [], []

    def turns(_):
        lock = Redlock(key="turns", masters=masters, auto_release_time=60)
        for _ in range(5):
            with lock:
                inside.append(1)
                most.append(len(inside))
                value = int(r.get("counter") or 0)
                time.sleep(0.002)
                r.set("counter", value + 1)
                inside.pop()

    at_once(6, turns)
    check("turns", (r.get("counter"), set(most)), ("30", {1}))
    free("turns")
    mine, theirs = (Redlock(key="owned", masters=masters, auto_release_time=20) for _ in range(2))
    check("acquired", (mine.acquire(), theirs.acquire(blocking=False)), (True, False))
    check("its time", 0 < mine.locked() <= 20, True)
    mine.extend()
    raises(pottery.ExtendUnlockedLock, "", theirs.extend)
    raises(pottery.ReleaseUnlockedLock, "", theirs.release)
    mine.release()
    until("free", lambda: held("owned") == 0, 20)
    check("after another's", theirs.acquire(blocking=False), True)
    until("held by all", lambda: held("owned") == 3, 20)
    next(iter(masters)).delete("redlock:owned")
    check("held by the most", theirs.locked() > 0, True)
    theirs.release()
    short = Redlock(key="short", masters=masters, auto_release_time=0.3)
    short.acquire()
    until("ended by itself", lambda: held("short") == 0, 20)
    running = []

    @synchronize(key="together", masters=masters, auto_release_time=60)
    def alone(index):
        running.append(index)
        check("alone", running, [index])
        time.sleep(0.01)
        running.remove(index)

    at_once(5, alone)
    r.script_flush()
    check("after SCRIPT FLUSH", (mine.acquire(), mine.release(), free("owned")), (True, None, True))
    checked("30 turns of 6 threads under a lock of three servers, one at a time; owners, most of them, its end")


def locks_of_asyncio(r):
    async def all_turns():
        nodes = {redis.asyncio.Redis(host=HOST, port=PORT, db=number) for number in range(3)}

        async def turns(_):
            for _ in range(4):
                async with AIORedlock(key="tasks", masters=nodes, auto_release_time=60):
                    value = int(r.get("tasks:counter") or 0)
                    await asyncio.sleep(0.002)
                    r.set("tasks:counter", value + 1)

        await asyncio.gather(*map(turns, range(5)))

    asyncio.run(all_turns())
    check("turns", (r.get("tasks:counter"), free("tasks")), ("20", True))

    def numbers(_):
        ids = NextID(key="ids", masters=masters, num_tries=50)
        return [next(ids) for _ in range(20)]

    ids = at_once(5, numbers)
    got = sum(ids, [])
    check("each number is given once", (len(set(got)), [each == sorted(each) for each in ids]), (100, [True] * 5))
    checked("20 turns of 5 tasks under such a lock; 100 numbers for 5 threads, none twice")


def containers(r):
    words = RedisDict({"one": 1, "nested": {"a": [1, None]}}, redis=plain, key="dict")
    words.update(two=2, three="drei")
    check("popped", (words.pop("one"), words.setdefault("two", 9), "one" in words), (1, 2, False))
    check("dict", words, {"nested": {"a": [1, None]}, "two": 2, "three": "drei"})
    check("by another", dict(RedisDict(redis=plain, key="dict").items()), dict(words.items()))
    raises(pottery.KeyExistsError, "", lambda: RedisDict({"a": 1}, redis=plain, key="dict"))
    numbers = RedisList([3, 1, 2], redis=plain, key="list")
    numbers.extend(range(10, 15))
    numbers.insert(1, "x")
    check("sliced", (numbers[1], numbers[2:5], numbers[-1], numbers.index(10)), ("x", [1, 2, 10], 14, 4))
    numbers[0:2] = [7]
    del numbers[-2:]
    numbers.remove(11)
    check("list", list(numbers), [7, 1, 2, 10, 12])
    numbers.sort(reverse=True)
    check("sorted", (list(numbers), list(reversed(numbers))), ([12, 10, 7, 2, 1], [1, 2, 7, 10, 12]))
    left, right = RedisSet(range(6), redis=plain, key="left"), RedisSet(range(3, 9), redis=plain, key="right")
    check("of sets", (left.intersection(right), left.union(right), left.difference(right)),
          ({3, 4, 5}, set(range(9)), {0, 1, 2}))
    left.difference_update(right)
    check("in place", (set(left), left.isdisjoint(right), left <= {0, 1, 2, 3}), ({0, 1, 2}, True, True))
    counted = RedisCounter("abracadabra", redis=plain, key="letters")
    counted["a"] -= 2
    counted["b"] -= 1
    check("counter", (dict(counted), counted.most_common(1), counted["z"]),
          ({"a": 3, "b": 1, "r": 2, "c": 1, "d": 1}, [("a", 3)], 0))
    ring = RedisDeque(range(5), redis=plain, key="deque", maxlen=5)
    ring.append(5)
    ring.appendleft(-1)
    ring.rotate(2)
    check("deque", (list(ring), ring.maxlen), ([3, 4, -1, 1, 2], 5))
    checked("dicts, lists, sets, counters and deques do what Python's do")


def shared(r):
    queue = RedisSimpleQueue(redis=plain, key="queue")
    taken = []

    def take():
        while True:
            try:
                return queue.get()
            except pottery.QueueEmptyError:
                """Others were faster: it watches the queue, and does not try again by itself."""

    def work(index):
        if index == 0:
            for number in range(60):
                queue.put(number)
            for _ in range(4):
                queue.put("end")
            return
        while (item := take()) != "end":
            taken.append(item)

    at_once(5, work)
    check("each once", (sorted(taken), queue.empty()), (list(range(60)), True))
    counts = RedisCounter(redis=plain, key="shared")

    def count(index):
        done = 0
        while done < 5:
            try:
                counts.update({"all": 1, f"key {index}": 1})
                done += 1
            except redis.WatchError:
                """Others were faster, here too."""

    at_once(5, count)
    check("all counted", dict(counts), {"all": 25, **{f"key {index}": 5 for index in range(5)}})
    called = []

    @redis_cache(redis=plain, key="cache")
    def square(number):
        called.append(number)
        return number * number

    check("cached", [square(number) for _ in range(4) for number in range(6)], [0, 1, 4, 9, 16, 25] * 4)
    check("called once", (called, square.cache_info().hits), (list(range(6)), 18))
    bloom = BloomFilter(num_elements=500, false_positives=0.01, redis=plain, key="bloom")
    bloom.update(f"in {number}" for number in range(300))
    check("none is missed", [word for word in (f"in {number}" for number in range(300)) if word not in bloom], [])
    check("few are wrong", sum(f"out {number}" in bloom for number in range(300)) < 30, True)
    seen = HyperLogLog(redis=plain, key="seen")
    seen.update(f"user {number % 2000}" for number in range(4000))
    check("about 2000", 1900 < len(seen) < 2100, True)
    other = HyperLogLog((f"user {number}" for number in range(1000, 3000)), redis=plain, key="other")
    check("together", 2850 < len(seen.union(other, redis=plain, key="both")) < 3150, True)
    checked("a queue of 4 takers, each item once; a cache of results; Bloom filters and HyperLogLogs")


run("pottery", 150, locks, locks_of_asyncio, containers, shared, uses=("evalsha", "exec", "hset", "multi"))
