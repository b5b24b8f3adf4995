#!/usr/bin/env python3
"""Functions by stock redis-py against a server: `redis_py_functions.py HOST PORT`. Empties that server."""

import redis

from shared import HOST, PORT, at_once, check, checked, raises, run

LIBRARY = """#!lua name=bank
local function balance(key)
  return tonumber(redis.call('GET', key) or '0')
end

redis.register_function('transfer', function(keys, args)
  local amount = tonumber(args[1])
  if balance(keys[1]) < amount then
    return redis.error_reply('POOR not enough')
  end
  redis.call('DECRBY', keys[1], amount)
  return redis.call('INCRBY', keys[2], amount)
end)

redis.register_function{
  function_name = 'balance',
  callback = function(keys, args) return balance(keys[1]) end,
  flags = {'no-writes'},
  description = 'what is left',
}
"""


def load(r):
    [known] = r.execute_command("COMMAND INFO", "function")
    check("FUNCTION is there", known and known[0], "function")
    check("load", r.function_load(LIBRARY), "bank")
    raises(redis.ResponseError, "Library 'bank' already exists", lambda: r.function_load(LIBRARY))
    check("replace", r.function_load(LIBRARY, replace=True), "bank")
    r.set("a", 100)
    check("fcall", r.fcall("transfer", 2, "a", "b", 30), 30)
    check("fcall_ro", r.fcall_ro("balance", 1, "a"), 70)
    raises(redis.ResponseError, "POOR not enough", lambda: r.fcall("transfer", 2, "a", "b", 71))
    error = "Can not execute a script with write flag using *_ro command."
    raises(redis.ResponseError, error, lambda: r.fcall_ro("transfer", 2, "a", "b", 1))
    raises(redis.ResponseError, "Function not found", lambda: r.fcall("nothing", 0))
    checked("a library is loaded, replaced and called")


def in_company(r):
    moved = at_once(10, lambda index: [r.fcall("transfer", 2, "a", "b", 1) for _ in range(7)])
    check("each once", sorted(sum(moved, [])), list(range(31, 101)))
    with r.pipeline() as pipe:
        pipe.fcall("transfer", 2, "b", "a", 40)
        pipe.fcall("transfer", 2, "b", "a", 61)
        pipe.fcall_ro("balance", 1, "a")
        replies = pipe.execute(raise_on_error=False)
    check("within a transaction", (replies[0], str(replies[1]), replies[2]), (40, "POOR not enough", 40))
    checked("called by 10 threads, and in a transaction")


def kept(r):
    raw = redis.Redis(HOST, PORT)
    listed = r.function_list("ba*", withcode=True)
    check("list", len(listed), 1)
    entry = listed[0] if isinstance(listed[0], dict) else dict(zip(listed[0][::2], listed[0][1::2]))
    check("listed", (entry["library_name"], entry["engine"], entry["library_code"]), ("bank", "LUA", LIBRARY))
    dump = raw.function_dump()
    check("delete", r.function_delete("bank"), True)
    raises(redis.ResponseError, "Function not found", lambda: r.fcall("balance", 1, "a"))
    check("restore", r.function_restore(dump), True)
    check("as before", r.fcall("balance", 1, "a"), 40)
    raises(redis.ResponseError, "Library bank already exists", lambda: r.function_restore(dump))
    check("restore over it", r.function_restore(dump, "REPLACE"), True)
    r.script_flush()
    r.flushall()
    check("outlives data and scripts", r.fcall_ro("balance", 1, "a"), 0)
    check("flush", (r.function_flush(), r.function_list()), (True, []))
    check("restore to nothing", (r.function_restore(dump, "FLUSH"), r.fcall("balance", 1, "a")), (True, 0))
    check("flush", r.function_flush("ASYNC"), True)
    checked("libraries are listed, dumped, deleted, restored, flushed")


run("redis", 60, load, in_company, kept)
