// Stock ioredis against a server: `node ioredis.mjs HOST PORT`, found through NODE_PATH.
// Empties databases 0 and 1 of that server. Exits with code 1 at the first surprise.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { Redis } = require("ioredis");
const { version } = require("ioredis/package.json");

const [host, port] = [process.argv[2], Number(process.argv[3])];
const connect = (options = {}) => new Redis({ host, port, maxRetriesPerRequest: 1, ...options });

/** Waits until so many have come, for 30 s at most: what has come is looked at then. */
async function untilThere(got, count) {
  const end = Date.now() + 30_000;
  while (got.length < count && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function strings(redis) {
  assert.equal(await redis.set("s", "héllo", "EX", 100), "OK");
  assert.equal(await redis.get("s"), "héllo");
  assert.ok((await redis.ttl("s")) > 97);
  assert.equal(await redis.set("s", "x", "NX"), null);
  assert.equal(await redis.mset(new Map([["a", 1], ["b", 2]])), "OK");
  assert.deepEqual(await redis.mget("a", "none", "b"), ["1", null, "2"]);
  assert.equal(await redis.incrby("n", 5), 5);
  assert.equal(await redis.incrbyfloat("f", 0.5), "0.5");
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  await redis.set(bytes, bytes);
  assert.deepEqual(await redis.getBuffer(bytes), bytes);
  const large = Buffer.alloc(8 * 1024 * 1024, "z");
  await redis.set("large", large);
  assert.ok(large.equals(await redis.getBuffer("large")));
  await assert.rejects(redis.incr("s"), { name: "ReplyError", message: "ERR value is not an integer or out of range" });
}

async function pipelines(redis) {
  const pipeline = redis.pipeline();
  for (let index = 0; index < 5000; index += 1) pipeline.set(`p:${index}`, index);
  const replies = await pipeline.exec();
  assert.ok(replies.every(([error, reply]) => error === null && reply === "OK"));
  const [, [error]] = await redis.pipeline().set("text", "abc").incr("text").exec();
  assert.match(error.message, /not an integer/);
  const found = new Set();
  for await (const keys of redis.scanStream({ match: "p:*", count: 300 })) keys.forEach((key) => found.add(key));
  assert.equal(found.size, 5000);
}

async function transactions(redis) {
  assert.deepEqual(await redis.multi().set("t", 1).incr("t").get("t").exec(), [[null, "OK"], [null, 2], [null, "2"]]);
  const other = connect();
  await redis.watch("t");
  await other.set("t", 100);
  assert.equal(await redis.multi().set("t", 0).exec(), null);
  assert.equal(await redis.get("t"), "100");
  await assert.rejects(redis.multi().set("u", 1).set("only-a-key").exec(), /EXECABORT/);
  assert.equal(await redis.exists("u"), 0);
  await other.quit();
}

async function connections(redis) {
  const batched = connect({ enableAutoPipelining: true, keyPrefix: "pre:" });
  const answers = await Promise.all(Array.from({ length: 1000 }, (_, index) => batched.incr(`n${index % 10}`)));
  assert.equal(answers.reduce((sum, count) => sum + count, 0), 10 * 5050);
  assert.equal(await redis.get("pre:n3"), "100");
  await batched.quit();
  const second = connect({ db: 1, connectionName: "smoke" });
  assert.equal(await second.get("a"), null);
  assert.equal(await second.client("GETNAME"), "smoke");
  assert.equal(await second.dbsize(), 0);
  await second.quit();
  const many = Array.from({ length: 50 }, () => connect());
  assert.deepEqual(new Set(await Promise.all(many.map((each) => each.ping()))), new Set(["PONG"]));
  await Promise.all(many.map((each) => each.quit()));
}

async function messages(redis) {
  const subscriber = connect();
  const got = [];
  subscriber.on("message", (channel, message) => got.push(["message", channel, message]));
  subscriber.on("pmessage", (pattern, channel, message) => got.push(["pmessage", pattern, channel, message]));
  subscriber.on("smessage", (channel, message) => got.push(["smessage", channel, message]));
  assert.equal(await subscriber.subscribe("news", "other"), 2);
  assert.equal(await subscriber.psubscribe("n*"), 3);
  assert.equal(await subscriber.ssubscribe("shard"), 1);
  assert.equal(await redis.publish("news", "one"), 2);
  assert.equal(await redis.spublish("shard", "two"), 1);
  assert.deepEqual(await redis.multi().set("told", 1).publish("other", "three").exec(), [[null, "OK"], [null, 1]]);
  await untilThere(got, 4);
  assert.deepEqual(got, [
    ["message", "news", "one"],
    ["pmessage", "n*", "news", "one"],
    ["smessage", "shard", "two"],
    ["message", "other", "three"],
  ]);
  assert.deepEqual(await redis.pubsub("NUMSUB", "news"), ["news", 1]);
  assert.equal(await subscriber.unsubscribe("news"), 2);
  subscriber.disconnect();
}

async function caching(redis) {
  const subscriber = connect({ protocol: 2 });
  const got = [];
  subscriber.on("message", (channel, keys) => got.push([channel, keys]));
  const id = await subscriber.client("ID");
  await subscriber.subscribe("__redis__:invalidate");
  const reader = connect({ protocol: 2 });
  assert.equal(await reader.client("TRACKING", "ON", "REDIRECT", id), "OK");
  assert.equal(await reader.client("GETREDIR"), id);
  await reader.mget("c1", "c2");
  await redis.mset("c1", 1, "c2", 2);
  await reader.get("c1");
  await reader.set("c1", 2);
  await redis.flushdb();
  await untilThere(got, 4);
  const channel = "__redis__:invalidate";
  assert.deepEqual(got, [[channel, "c1"], [channel, "c2"], [channel, "c1"], [channel, ""]]);
  [subscriber, reader].forEach((each) => each.disconnect());
}

async function main() {
  const redis = connect();
  await redis.flushall();
  await strings(redis);
  await pipelines(redis);
  await transactions(redis);
  await connections(redis);
  await messages(redis);
  await caching(redis);
  await redis.flushall();
  assert.equal(await redis.quit(), "OK");
  console.log(`ioredis ${version}: ok`);
}

setTimeout(() => {
  console.error("ioredis: no end after 120 s");
  process.exit(1);
}, 120_000).unref();
await main();
