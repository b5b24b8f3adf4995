#!/usr/bin/env python3
"""Stock iredis, given what it is to do on its input: `iredis_app.py HOST PORT`. Empties that server."""

import os
import re
import subprocess
import sys
import tempfile

from shared import HOST, PORT, at_once, check, checked, run

MAIN = "import sys; from iredis.entry import main; sys.exit(main())"


def told(*lines, options=("--decode", "utf-8")):
    """The lines that it answers."""
    command = (sys.executable, "-c", MAIN, "-h", HOST, "-p", str(PORT), *options)
    text = "\n".join(lines) + "\n"
    # It would read settings at home.
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home}
        ran = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, env=environment)
    check("exit code", (ran.returncode, ran.stderr), (0, ""))
    return ran.stdout.splitlines()


def replies(r):
    asked = {
        'SET text "two words, héllo"': ["OK"],
        "GET text": ["two words, héllo"],
        "GET nothing": [""],
        "INCRBYFLOAT number 1.5": ["1.5"],
        "RPUSH list 1 2 3": ["3"],
        "LRANGE list 0 -1": ["1", "2", "3"],
        "HSET hash f v g w": ["2"],
        "HGETALL hash": ["f", "v", "g", "w"],
        "ZADD zset 1 a 2.5 b": ["2"],
        "ZRANGE zset 0 -1 WITHSCORES": ["a", "1", "b", "2.5"],
        "SADD set x": ["1"],
        "SMEMBERS set": ["x"],
        "XADD stream 1-1 f v": ["1-1"],
        "XRANGE stream - +": ["1-1", "f", "v"],
        "SETBIT bits 7 1": ["0"],
        "GET list": ["ERROR WRONGTYPE Operation against a key holding the wrong kind of value"],
        "EXPIRE text 100": ["1"],
        "SCAN 0 COUNT 100 TYPE list": ["0", "list"],
        "EVAL \"return {1,{2,'x'},redis.call('GET',KEYS[1])}\" 1 number": ["1", "2", "x", "1.5"],
        "OBJECT ENCODING hash": ["listpack"],
        "TYPE stream": ["stream"],
    }
    check("replies", told(*asked), sum(asked.values(), []))
    check("what is stored", (r.hgetall("hash"), 0 < r.ttl("text") <= 100), ({"f": "v", "g": "w"}, True))
    checked("21 commands of all types of value: their replies and errors, read by it")


def transactions(r):
    answers = told("MULTI", "SET a 1", "INCR a", "LPUSH a x", "GET a", "EXEC", "GET a")
    # It leaves out the error within.
    check("transaction", answers, ["OK", *["QUEUED"] * 4, "OK", "2", "2", "2"])
    check("discarded", told("MULTI", "SET a 9", "DISCARD", "GET a"), ["OK", "QUEUED", "OK", "2"])
    at_once(4, lambda index: told(*["INCR counter"] * 50, f"SET done:{index} yes"))
    check("counted", (r.get("counter"), len(r.keys("done:*"))), ("200", 4))
    elsewhere = told("SET only there", "GET only", options=("-n", "5", "--decode", "utf-8"))
    check("another database", elsewhere, ["OK", "there"])
    check("not here", r.exists("only"), 0)
    checked("transactions, 200 increments of 4 at once, another database")


def peeks(r):
    """Its own command, which asks for type, encoding, size, time and value."""
    shown = [re.sub(r"mem: \d+ bytes", "mem", line) for line in told("PEEK list", "PEEK zset", "PEEK hash", "PEEK set")]
    wanted = [
        "key: list (quicklist)  mem, ttl: -1", "llen: 3", "elements: ", '1) "1"', '2) "2"', '3) "3"',
        "key: zset (listpack)  mem, ttl: -1", "zcount: 2", "members: ", '1) "a"', '2) "1"', '3) "b"', '4) "2.5"',
        "key: hash (listpack)  mem, ttl: -1", "hlen: 2", "fields: ", '1) "f"', '   "v"', '2) "g"', '   "w"',
    ]
    # How a short list or set is encoded depends on the version of Redis.
    check("shown", [line.replace("list (listpack)", "list (quicklist)") for line in shown[: len(wanted)]], wanted)
    check("the set", shown[len(wanted) + 1 :], ["cardinality: 1", "members: ", '1) "x"'])
    text = told("PEEK text", "PEEK nothing", "PEEK stream")
    check("the text", text[1:4], ["strlen: 17", 'value: "two words, héllo"', "nothing doesn't exist."])
    check("the stream", text[text.index(' 7) "last-generated-id"') + 1], ' 8) "1-1"')
    checked("its look at keys of all types: encodings, sizes, times and values")


run("iredis", 150, replies, transactions, peeks, uses=("eval", "exec", "type"))
