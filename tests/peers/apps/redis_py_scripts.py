#!/usr/bin/env python3
"""Locks and scripts of stock redis-py against a server: `redis_py_scripts.py HOST PORT`. Empties that server."""

import asyncio
import time

import redis
import redis.asyncio
from redis.exceptions import LockError, LockNotOwnedError, NoScriptError

from shared import HOST, PORT, SLACK, at_once, check, checked, raises, run, until

TRANSFER = """
local from, amount = KEYS[1], tonumber(ARGV[1])
local balance = tonumber(redis.call('GET', from) or 0)
if balance < amount then return redis.error_reply('POOR ' .. balance .. ' is not enough') end
redis.call('DECRBY', from, amount)
return redis.call('INCRBY', KEYS[2], amount)
"""


def mutual_exclusion(r):
    inside, most = [], []

    def contend(index):
        client = redis.Redis(HOST, PORT, decode_responses=True, protocol=2 + index % 2)
        for turn in range(15):
            with client.lock("counter:lock", timeout=60, sleep=0.002):
                inside.append(index)
                most.append(len(inside))
                count = int(client.get("counter") or 0)
                time.sleep(turn % 3 / 1000)
                client.set("counter", count + 1)
                inside.remove(index)

    at_once(10, contend)
    check("count", r.get("counter"), "150")
    check("at a time", max(most), 1)
    check("left", r.exists("counter:lock"), 0)
    checked("10 threads, 150 turns at a counter, one at a time, no turn lost")


def owners(r):
    mine, theirs = r.lock("owned", timeout=60), r.lock("owned", timeout=60)
    check("acquire", (mine.acquire(), theirs.acquire(blocking=False)), (True, False))
    check("owned", (mine.owned(), theirs.owned(), theirs.locked()), (True, False, True))
    raises(LockError, "Cannot release a lock that's not owned or is already unlocked.", theirs.release)
    raises(LockError, "Cannot extend an unlocked lock", lambda: theirs.extend(1))
    theirs.local.token = b"forged"
    raises(LockNotOwnedError, "Cannot release a lock that's no longer owned", theirs.release)
    theirs.local.token = b"forged"
    raises(LockNotOwnedError, "Cannot extend a lock that's no longer owned", lambda: theirs.extend(1))
    raises(LockNotOwnedError, "Cannot reacquire a lock that's no longer owned", theirs.reacquire)
    check("still mine", (mine.owned(), r.get("owned")), (True, mine.local.token.decode()))
    mine.release()
    check("released", (r.exists("owned"), theirs.acquire(blocking=False)), (0, True))
    raises(LockError, "Cannot release a lock that's not owned or is already unlocked.", mine.release)
    theirs.release()
    checked("only the owner releases, extends or takes a lock again")


def times(r):
    lock = r.lock("timed", timeout=30)
    lock.acquire()
    check("extended", (lock.extend(30), 30_000 < r.pttl("timed") <= 60_000), (True, True))
    check("replaced", (lock.extend(10, replace_ttl=True), 0 < r.pttl("timed") <= 10_000), (True, True))
    check("taken again", (lock.reacquire(), 10_000 < r.pttl("timed") <= 30_000), (True, True))
    waiting = r.lock("timed", timeout=30, blocking_timeout=0.5, sleep=0.01)
    start = time.monotonic()
    check("not within its time", waiting.acquire(), False)
    # It gives up when another sleep would end after its time.
    check("waited", time.monotonic() - start >= 0.5 - 0.01 - SLACK, True)
    raises(LockError, "Unable to acquire lock within the time specified", lambda: waiting.__enter__())
    start = time.monotonic()
    lock.extend(1, replace_ttl=True)
    other = r.lock("timed", timeout=30, sleep=0.01)
    check("acquired once it expired", other.acquire(blocking_timeout=60), True)
    check("not before", time.monotonic() - start >= 1 - SLACK, True)
    raises(LockNotOwnedError, "Cannot extend a lock that's no longer owned", lambda: lock.extend(30))
    raises(LockNotOwnedError, "Cannot release a lock that's no longer owned", lock.release)
    check("the other's", other.owned(), True)
    other.release()
    checked("locks are extended, taken again, waited for, and free once they expire")


def locks_of_asyncio(r):
    async def body():
        client = redis.asyncio.Redis(host=HOST, port=PORT)
        inside = most = 0

        async def contend():
            nonlocal inside, most
            for _ in range(10):
                async with client.lock("async:lock", timeout=60, sleep=0.002):
                    inside += 1
                    most = max(most, inside)
                    count = int(await client.get("async") or 0)
                    await asyncio.sleep(0)
                    await client.set("async", count + 1)
                    inside -= 1

        await asyncio.gather(*(contend() for _ in range(10)))
        check("count", (int(await client.get("async")), most), (100, 1))
        lock = client.lock("async:owned", timeout=30)
        await lock.acquire()
        check("extended", (await lock.extend(30), await client.pttl("async:owned") > 30_000), (True, True))
        await client.set("async:owned", "another")
        try:
            await lock.release()
            raise AssertionError("released what is another's")
        except LockNotOwnedError:
            check("left", await client.get("async:owned"), b"another")
        await client.aclose()

    asyncio.run(body())
    checked("the same of asyncio: 10 tasks, 100 turns")


def registered(r):
    transfer = r.register_script(TRANSFER)
    r.set("a", 100)
    check("call", transfer(keys=["a", "b"], args=[30]), 30)
    raises(redis.ResponseError, "POOR 70 is not enough", lambda: transfer(keys=["a", "b"], args=[71]))
    for transaction in (True, False):
        with r.pipeline(transaction=transaction) as pipe:
            r.script_flush()
            pipe.set("c", 5)
            transfer(keys=["a", "b"], args=[10], client=pipe)
            transfer(keys=["b", "c"], args=[1000], client=pipe)
            pipe.mget("a", "b", "c")
            replies = pipe.execute(raise_on_error=False)
        check("error within", (type(replies[2]), str(replies[2])[:4]), (redis.ResponseError, "POOR"))
        rest = [True, 40, ["60", "40", "5"]] if transaction else [True, 50, ["50", "50", "5"]]
        check("around it", [replies[0], replies[1], replies[3]], rest)
    amounts = at_once(10, lambda index: [transfer(keys=["a", "b"], args=[1]) for _ in range(5)])
    check("each once", sorted(sum(amounts, [])), list(range(51, 101)))
    check("all moved", (r.get("a"), r.get("b")), ("0", "100"))
    checked("registered scripts, called, in pipelines and transactions, by 10 threads")


def forgotten(r):
    script = r.register_script("return {KEYS[1], ARGV[1]}")
    check("first", script(keys=["k"], args=["v"]), ["k", "v"])
    for mode in ("SYNC", "ASYNC", None):
        check("flush", r.script_flush(mode) if mode else r.script_flush(), True)
        check("gone", r.script_exists(script.sha), [False])
        raises(NoScriptError, "No matching script", lambda: r.evalsha(script.sha, 1, "k", "v"))
        check("sent again", script(keys=["k"], args=["v"]), ["k", "v"])
        check("there", r.script_exists(script.sha, "0" * 40), [True, False])
    lock = r.lock("after", timeout=30)
    lock.acquire()
    r.script_flush()
    lock.extend(30)
    r.script_flush()
    lock.reacquire()
    r.script_flush()
    lock.release()
    check("released", r.exists("after"), 0)
    checked("scripts and locks after SCRIPT FLUSH")


def read_only(r):
    r.set("seen", "yes")
    check("eval_ro", r.eval_ro("return redis.call('GET', KEYS[1])", 1, "seen"), "yes")
    sha = r.script_load("return redis.call('DEL', KEYS[1])")
    error = "Write commands are not allowed from read-only scripts"
    raises(redis.ResponseError, error, lambda: r.evalsha_ro(sha, 1, "seen"))
    check("kept", (r.get("seen"), r.evalsha(sha, 1, "seen"), r.exists("seen")), ("yes", 1, 0))
    checked("read-only scripts do not write")


def killed(r):
    r.config_set("busy-reply-threshold", 100)
    ended = []

    def spin():
        client = redis.Redis(HOST, PORT)
        error = "Script killed by user with SCRIPT KILL"
        raises(redis.ResponseError, error, lambda: client.eval("while true do end", 0))

    def kill():
        # Before the script is there, none can be killed; before it is busy, others just wait.
        def attempt():
            try:
                return r.script_kill()
            except redis.ResponseError as error:
                check("nothing to kill yet", str(error).split(" ")[0] in ("No", "NOTBUSY"), True)
                return False

        ended.append(until("the script is killed", attempt))

    at_once(2, lambda index: (spin, kill)[index]())
    check("killed", ended, [True])
    check("alive", r.ping(), True)
    r.config_set("busy-reply-threshold", 5000)
    checked("SCRIPT KILL ends a script without end")


run("redis", 100, mutual_exclusion, owners, times, locks_of_asyncio, registered, forgotten, read_only, killed)
