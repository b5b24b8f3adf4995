// Scripts of stock ioredis against a server: `node ioredis_scripts.mjs HOST PORT`, found through NODE_PATH.
// Empties that server.

import assert from "node:assert/strict";
import { checked, host, port, require, run } from "./shared.mjs";

const { Redis } = require("ioredis");
const { version } = require("ioredis/package.json");

const LIMITER = `
  local used = redis.call('INCR', KEYS[1])
  if used == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return used <= tonumber(ARGV[1])`;
const REPLIES = `
  local nested = {KEYS[1], {ARGV[1]}}
  return {1, 3.99, 'text', nested, true, redis.status_reply('FINE'), cjson.encode({a = {1, 2}}), false, 'last'}`;
const scripts = {
  limiter: { lua: LIMITER, numberOfKeys: 1 },
  replies: { lua: REPLIES, numberOfKeys: 1 },
  sum: { lua: "local s = 0 for _, key in ipairs(KEYS) do s = s + (redis.call('GET', key) or 0) end return s" },
  echoes: { lua: "return ARGV[1]", numberOfKeys: 0 },
  peek: { lua: "return redis.call('GET', KEYS[1])", numberOfKeys: 1, readOnly: true },
  move: {
    lua: `local value = redis.call('GET', KEYS[1])
          if not value then return redis.error_reply('EMPTY nothing at ' .. KEYS[1]) end
          redis.call('SET', KEYS[2], value) redis.call('DEL', KEYS[1]) return value`,
    numberOfKeys: 2,
  },
};
const connect = (options = {}) => new Redis({ host, port, maxRetriesPerRequest: 1, scripts, ...options });
const redis = connect();

async function conversions() {
  const nested = ["key", ["argument"]];
  const wanted = [1, 3, "text", nested, 1, "FINE", '{"a":[1,2]}', null, "last"];
  assert.deepEqual(await redis.replies("key", "argument"), wanted);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  assert.deepEqual(await redis.echoesBuffer(bytes), bytes);
  assert.equal(await redis.echoes("héllo"), "héllo");
  await redis.mset("a", 1, "b", 2, "c", 39);
  assert.equal(await redis.sum(4, "a", "b", "c", "none"), 42);
  assert.equal(await redis.sum(0), 0);
  await redis.set("peeked", "yes");
  assert.equal(await redis.peek("peeked"), "yes");
  checked("replies of scripts, bytes, keys in any number");
}

async function errors() {
  const empty = { name: "ReplyError", message: /^EMPTY nothing at nowhere$/ };
  await assert.rejects(redis.move("nowhere", "there"), empty);
  await redis.rpush("list", 1);
  await assert.rejects(redis.peek("list"), { message: /^WRONGTYPE Operation against a key holding the wrong kind/ });
  redis.defineCommand("broken", { lua: "return nothing.at_all", numberOfKeys: 0 });
  const broken = /^ERR user_script:1: Script attempted to access nonexistent global variable 'nothing'/;
  await assert.rejects(redis.broken(), { message: broken });
  redis.defineCommand("unfinished", { lua: "return (", numberOfKeys: 0 });
  const unfinished = /^ERR Error compiling script \(new function\): user_script:1: /;
  await assert.rejects(redis.unfinished(), { message: unfinished });
  await assert.rejects(redis.evalsha("0".repeat(40), 0), { message: /^NOSCRIPT No matching script/ });
  checked("errors of scripts, their own and the language's");
}

async function pipelines() {
  const replies = await redis.pipeline().set("p", 5).peek("p").move("p", "q").move("p", "q").get("q").exec();
  assert.deepEqual(replies.filter((_, index) => index !== 3), [[null, "OK"], [null, "5"], [null, "5"], [null, "5"]]);
  assert.equal(replies[3][0].message, "EMPTY nothing at p");
  const done = await redis.multi().move("q", "r").sum(1, "r").exec();
  assert.deepEqual(done, [[null, "5"], [null, 5]]);
  const batched = connect({ enableAutoPipelining: true, keyPrefix: "pre:" });
  const calls = Array.from({ length: 200 }, (_, index) => batched.limiter(`n${index % 4}`, 10, 60_000));
  const allowed = await Promise.all(calls);
  assert.equal(allowed.filter((each) => each === 1).length, 40);
  assert.equal(await redis.get("pre:n3"), "50");
  await batched.quit();
  checked("scripts in pipelines and transactions, with a prefix of keys");
}

async function limits() {
  const clients = Array.from({ length: 10 }, () => connect());
  const calls = clients.flatMap((each) => Array.from({ length: 50 }, () => each.limiter("limit", 123, 60_000)));
  const allowed = (await Promise.all(calls)).filter((each) => each === 1);
  assert.equal(allowed.length, 123);
  const left = await redis.pttl("limit");
  assert.ok(left > 0 && left <= 60_000);
  await Promise.all(clients.map((each) => each.quit()));
  checked("a rate limiter lets 123 of 500 through, asked by 10 at once");
}

async function afterFlush() {
  const other = connect();
  await other.peek("peeked");
  await redis.script("FLUSH");
  assert.equal(await other.peek("peeked"), "yes");
  await redis.script("FLUSH", "ASYNC");
  assert.deepEqual(await other.pipeline().peek("peeked").echoes("again").exec(), [[null, "yes"], [null, "again"]]);
  const sha = await redis.script("LOAD", "return 'loaded'");
  assert.equal(sha, "b534286061d4b9e4026607613b95c06c06015ae8");
  assert.deepEqual(await redis.script("EXISTS", sha, "f".repeat(40)), [1, 0]);
  assert.equal(await redis.evalsha(sha, 0), "loaded");
  await other.quit();
  checked("scripts are sent again after SCRIPT FLUSH");
}

await run(redis, version, 60, async () => {
  for (const section of [conversions, errors, pipelines, limits, afterFlush]) await section();
});
