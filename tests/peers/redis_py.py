#!/usr/bin/env python3
"""Stock redis-py against a server: `redis_py.py HOST PORT`, with RESP2 and with RESP3.

Empties databases 0 and 1 of that server. Ends with a traceback and exit code 1 at the first surprise.
"""

import sys
import threading
import time

import redis
from redis.cache import CacheConfig
from redis.connection import CacheProxyConnection


def check(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {got!r}")


def raises(kind, text, call):
    try:
        got = call()
    except kind as error:
        check("error text", str(error), text)
        return
    raise AssertionError(f"wanted {kind.__name__}({text!r}), got {got!r}")


def until(what, condition):
    """Waits until `condition` gives something true."""
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within 30 s: {what}")
        time.sleep(0.01)


def strings(r):
    check("set", r.set("s", "héllo"), True)
    check("get", r.get("s"), "héllo")
    check("set nx", r.set("s", "x", nx=True), None)
    check("set get", r.set("s", "x", get=True), "héllo")
    check("append", r.append("s", "yz"), 3)
    check("getrange", r.getrange("s", 1, -1), "yz")
    check("setrange", r.setrange("s", 5, "!"), 6)
    check("mset", r.mset({"a": 1, "b": 2}), True)
    check("mget", r.mget("a", "none", "b"), ["1", None, "2"])
    check("msetnx", r.msetnx({"a": 5, "c": 3}), False)
    check("getdel", (r.getdel("b"), r.get("b")), ("2", None))
    check("incrby", r.incrby("n", 41) + r.incr("n"), 83)
    check("incrbyfloat", r.incrbyfloat("f", 0.1), 0.1)
    check("setbit", (r.setbit("bits", 7, 1), r.getbit("bits", 7), r.bitcount("bits")), (0, 1, 1))
    check("bitfield", r.bitfield("bf").set("u8", 0, 255).get("u4", 0).execute(), [0, 15])
    raises(redis.ResponseError, "value is not an integer or out of range", lambda: r.incr("s"))


def keys_and_expiry(r):
    r.set("k", "v", ex=100)
    check("ttl", 98 <= r.ttl("k") <= 100, True)
    check("persist", (r.persist("k"), r.ttl("k")), (True, -1))
    check("pexpire", r.pexpire("k", 40), True)
    time.sleep(0.12)
    check("expired", (r.exists("k"), r.get("k"), r.ttl("k")), (0, None, -2))
    r.set("from", "v")
    check("rename", (r.rename("from", "to"), r.get("to"), r.exists("from")), (True, "v", 0))
    check("copy", (r.copy("to", "twin"), r.get("twin")), (True, "v"))
    check("type", (r.type("twin"), r.type("nothing")), ("string", "none"))
    check("unlink", r.unlink("to", "twin", "nothing"), 2)
    raises(redis.ResponseError, "no such key", lambda: r.rename("nothing", "x"))


def pipelines(r):
    with r.pipeline(transaction=False) as pipe:
        for index in range(10_000):
            pipe.set(f"p:{index}", index)
        check("pipelined sets", set(pipe.execute()), {True})
        for index in range(10_000):
            pipe.get(f"p:{index}")
        check("pipelined gets", pipe.execute(), [str(index) for index in range(10_000)])
        pipe.set("text", "abc").incr("text").get("text")
        replies = pipe.execute(raise_on_error=False)
        check("error within", isinstance(replies[1], redis.ResponseError), True)
        check("around it", (replies[0], replies[2]), (True, "abc"))


def scans(r):
    wanted = {f"p:{index}" for index in range(10_000)}
    check("scan_iter", set(r.scan_iter(match="p:*", count=500)), wanted)
    check("scan type", set(r.scan_iter(match="p:1?", _type="string")), {f"p:{n}" for n in range(10, 20)})
    check("keys", sorted(r.keys("p:99[0-1]")), ["p:990", "p:991"])
    check("delete", r.delete(*wanted), 10_000)
    check("randomkey", r.randomkey() in r.keys(), True)


def transactions(r):
    r.set("balance", 10)

    def take(pipe):
        balance = int(pipe.get("balance"))
        pipe.multi()
        pipe.set("balance", balance - 1)
        pipe.incr("taken")

    threads = [threading.Thread(target=r.transaction, args=(take, "balance")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("optimistic locking", r.mget("balance", "taken"), ["6", "4"])
    with r.pipeline() as pipe:
        pipe.watch("balance")
        r.set("balance", 100)
        pipe.multi()
        pipe.set("balance", 0)
        try:
            pipe.execute()
            raise AssertionError("EXEC after a change to a watched key went through")
        except redis.WatchError:
            pass
    check("untouched", r.get("balance"), "100")
    with r.pipeline() as pipe:
        pipe.set("x", 1).execute_command("NOSUCHCOMMAND")
        try:
            pipe.execute()
            raise AssertionError("EXEC with an unknown command went through")
        except redis.ResponseError as error:
            check("names the command", "unknown command" in str(error), True)
    check("nothing was set", r.exists("x"), 0)


def hyperloglogs(r):
    r.pfadd("hll:a", *range(1000))
    r.pfadd("hll:b", *range(500, 1500))
    check("pfcount", abs(r.pfcount("hll:a", "hll:b") - 1500) < 60, True)
    check("pfmerge", r.pfmerge("hll", "hll:a", "hll:b"), True)
    check("merged", r.pfcount("hll"), r.pfcount("hll:a", "hll:b"))


def binary_and_large(raw):
    every = bytes(range(256))
    raw.set(every, every)
    check("binary", raw.get(every), every)
    large = every * (64 * 1024 * 4)
    check("64 MiB in", raw.set("large", large), True)
    check("64 MiB out", raw.get("large") == large, True)
    check("strlen", raw.strlen("large"), len(large))
    check("empty", (raw.set("empty", b""), raw.get("empty")), (True, b""))
    raw.delete("large")


def server_and_connection(r, host, port, protocol):
    check("echo", r.echo("hi"), "hi")
    check("ping", r.ping(), True)
    check("client name", (r.client_setname("smoke"), r.client_getname()), (True, "smoke"))
    check("client id", r.client_id() > 0, True)
    check("info", "redis_version" in r.info("server"), True)
    check("config", r.config_get("maxmemory-policy"), {"maxmemory-policy": "noeviction"})
    check("time", abs(r.time()[0] - time.time()) < 5, True)
    check("command count", r.command_count() > 50, True)
    check("command keys", r.command_getkeys("MSET", "a", "1", "b", "2"), ["a", "b"])
    check("object encoding", (r.set("o", "12"), r.object("encoding", "o")), (True, "int"))
    other = redis.Redis(host=host, port=port, db=1, decode_responses=True, protocol=protocol)
    check("another database", (r.set("here", 1), other.get("here")), (True, None))
    check("move", (r.move("here", 1), other.get("here"), r.exists("here")), (True, "1", 0))
    check("dbsize", (other.dbsize(), other.flushdb(), other.dbsize()), (1, True, 0))
    other.close()


def next_message(pubsub):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        message = pubsub.get_message(timeout=1)
        if message is not None:
            return tuple(message[part] for part in ("type", "pattern", "channel", "data"))
    raise AssertionError("no message")


def messages(r):
    pubsub = r.pubsub()
    pubsub.subscribe("news", "other")
    pubsub.psubscribe("n*")
    for index, name in enumerate(("news", "other")):
        check("subscribed", next_message(pubsub), ("subscribe", None, name, index + 1))
    check("subscribed to a pattern", next_message(pubsub), ("psubscribe", None, "n*", 3))
    check("numsub", r.pubsub_numsub("news", "nobody"), [("news", 1), ("nobody", 0)])
    check("numpat", r.pubsub_numpat(), 1)
    check("channels", sorted(r.pubsub_channels()), ["news", "other"])
    check("publish", (r.publish("news", "one"), r.publish("quiet", "two")), (2, 0))
    check("message", next_message(pubsub), ("message", None, "news", "one"))
    check("by pattern", next_message(pubsub), ("pmessage", "n*", "news", "one"))
    with r.pipeline(transaction=True) as pipe:
        check("in a transaction", pipe.set("told", 1).publish("other", "three").execute(), [True, 1])
    check("from a transaction", next_message(pubsub), ("message", None, "other", "three"))
    pubsub.unsubscribe()
    pubsub.punsubscribe()
    left = sorted(next_message(pubsub)[0] for _ in range(3))
    check("unsubscribed", left, ["punsubscribe", "unsubscribe", "unsubscribe"])
    check("nobody listens", r.publish("news", "four"), 0)
    pubsub.close()
    sharded = r.pubsub()
    sharded.execute_command("SSUBSCRIBE", "shard")
    kinds = [sharded.parse_response()[0]]
    check("spublish", r.execute_command("SPUBLISH", "shard", "five"), 1)
    kinds.append(sharded.parse_response()[0])
    check("sharded", kinds, ["ssubscribe", "smessage"])
    sharded.close()


def caching(r, options):
    """Client-side caching: CLIENT TRACKING and its pushes, as redis-py uses them."""
    # It asks for a version that the server does not report yet.
    CacheProxyConnection.MIN_ALLOWED_VERSION = "7.0.0"
    cached = redis.Redis(**options, decode_responses=True, cache_config=CacheConfig())
    r.set("cached", "1")
    r.hset("cached:hash", "f", "1")

    def both():
        return cached.get("cached"), cached.hget("cached:hash", "f")

    for value in ("1", "2", "3"):
        r.set("cached", value)
        r.hset("cached:hash", "f", value)
        # The word that they have changed comes by another connection than the answers.
        until("the new ones", lambda: both() == (value, value))
        check("cached get", [cached.get("cached") for _ in range(3)], [value] * 3)
        check("cached hget", [cached.hget("cached:hash", "f") for _ in range(2)], [value] * 2)
    check("in the cache", cached.get_cache().size, 2)
    check("own change", (cached.set("cached", "mine"), cached.get("cached")), (True, "mine"))
    r.flushall()
    until("none after a flush", lambda: both() == (None, None))
    check("after a flush", both(), (None, None))
    cached.close()


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    for protocol in (2, 3):
        options = {"host": host, "port": port, "protocol": protocol, "socket_timeout": 30}
        raw = redis.Redis(**options)
        r = redis.Redis(**options, decode_responses=True, single_connection_client=False)
        r.flushall()
        strings(r)
        keys_and_expiry(r)
        pipelines(r)
        scans(r)
        transactions(r)
        hyperloglogs(r)
        binary_and_large(raw)
        server_and_connection(r, host, port, protocol)
        messages(r)
        if protocol == 3:
            caching(r, options)
        r.flushall()
        check("empty at the end", r.dbsize(), 0)
        print(f"redis-py {redis.__version__}, RESP{protocol}: ok")


if __name__ == "__main__":
    main()
