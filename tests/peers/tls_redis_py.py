#!/usr/bin/env python3
"""Stock redis-py over TLS: `tls_redis_py.py TLS_PORT FOLDER`, with the files of tls_files.sh, with RESP2 and RESP3.

Empties that server. Ends with a traceback and exit code 1 at the first surprise.
"""

import sys
import threading
from pathlib import Path

import redis


def connect(port, files, **options):
    """A client that shows its certificate, unless told otherwise."""
    return redis.Redis(
        host="localhost",
        port=port,
        ssl=True,
        ssl_ca_certs=str(files / "ca.crt"),
        decode_responses=True,
        socket_timeout=20,
        **{"ssl_certfile": str(files / "client.crt"), "ssl_keyfile": str(files / "client.key"), **options},
    )


def check(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: wanted {wanted!r}, got {got!r}")


def commands(r):
    r.flushall()
    check("set", r.set("s", "héllo"), True)
    check("get", r.get("s"), "héllo")
    large = "x" * 8_000_000
    check("large", r.set("large", large), True)
    check("large", r.get("large") == large, True)
    pipe = r.pipeline(transaction=False)
    for number in range(5000):
        pipe.rpush("list", number)
    check("pipeline", pipe.execute()[-1], 5000)
    with r.pipeline() as pipe:
        pipe.incr("n").incr("n")
        check("MULTI", pipe.execute(), [1, 2])
    check("script", r.eval("return redis.call('GET', KEYS[1])", 1, "s"), "héllo")


def messages(r):
    pubsub = r.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("news")
    pubsub.get_message(timeout=5)
    r.publish("news", "hello")
    check("message", pubsub.get_message(timeout=5)["data"], "hello")
    pubsub.close()
    timer = threading.Timer(0.2, lambda: r.rpush("queue", "job"))
    timer.start()
    check("blpop", r.blpop("queue", timeout=5) in (("queue", "job"), ["queue", "job"]), True)
    timer.join()


def strangers(port, files):
    for options in (
        {"ssl_certfile": None, "ssl_keyfile": None},
        {"ssl_certfile": str(files / "other.crt"), "ssl_keyfile": str(files / "other.key")},
    ):
        try:
            connect(port, files, **options).ping()
        except redis.exceptions.ConnectionError:
            continue
        raise AssertionError(f"served with {options}")


def main():
    port, files = int(sys.argv[1]), Path(sys.argv[2])
    for protocol in (2, 3):
        client = connect(port, files, protocol=protocol)
        commands(client)
        messages(client)
        client.close()
    strangers(port, files)
    connect(port, files).flushall()
    print(f"redis-py {redis.__version__} over TLS: ok")


if __name__ == "__main__":
    main()
