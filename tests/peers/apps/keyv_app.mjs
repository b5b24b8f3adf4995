// Stock keyv with @keyv/redis against a server: `node keyv_app.mjs HOST PORT`, found through NODE_PATH. Empties that
// server.

import assert from "node:assert/strict";
import { checked, host, port, require, run, sleep, until, versionOf } from "./shared.mjs";

const { Keyv } = require("keyv");
const { default: KeyvRedis } = require("@keyv/redis");
const { Redis } = require("ioredis");

const redis = new Redis({ host, port });
const url = `redis://${host}:${port}`;
const SLACK_MS = 10;

function store(namespace, options = {}) {
  const adapter = new KeyvRedis(url, { namespace, throwOnErrors: true, ...options });
  // It tells of the connections that are killed further down.
  return new Keyv(adapter, { namespace, useKeyPrefix: false }).on("error", () => {});
}

async function values() {
  const [here, there, other] = [store("app"), store("app"), store("other")];
  const all = { text: "héllo\0", number: -1.5, nested: { a: [1, null, true] }, empty: "", zero: 0, no: false };
  for (const [key, value] of Object.entries(all)) assert.equal(await here.set(key, value), true);
  for (const [key, value] of Object.entries(all)) assert.deepEqual(await there.get(key), value);
  assert.deepEqual(await there.getMany([...Object.keys(all), "missing"]), [...Object.values(all), undefined]);
  assert.deepEqual(await Promise.all([there.has("zero"), there.has("missing")]), [true, false]);
  assert.equal(await other.get("text"), undefined);
  await other.set("text", "of the other");
  assert.deepEqual([await here.delete("text"), await here.delete("text")], [true, false]);
  assert.equal(await here.get("text"), undefined);
  assert.equal(await other.get("text"), "of the other");
  const many = Array.from({ length: 1500 }, (_, number) => ({ key: `many:${number}`, value: { number } }));
  await here.setMany(many);
  assert.deepEqual(await there.getMany(many.map(({ key }) => key)), many.map(({ value }) => value));
  const found = [];
  for await (const [key, value] of there.iterator()) if (value.number !== undefined) found.push([key, value.number]);
  assert.deepEqual(found.sort(([, one], [, next]) => one - next), many.map(({ key, value }) => [key, value.number]));
  assert.equal(await here.deleteMany(many.slice(0, 700).map(({ key }) => key)), true);
  assert.deepEqual(await there.hasMany(["many:0", "many:699", "many:700", "many:1499"]), [false, false, true, true]);
  await there.clear();
  assert.deepEqual([await here.get("zero"), await redis.keys("*")], [undefined, ["other::text"]]);
  await Promise.all([here, there, other].map((each) => each.disconnect()));
  checked("values of all kinds of two stores in one namespace, 1500 at once, found, deleted, cleared");
}

async function times() {
  const each = store("times");
  const begin = Date.now();
  await each.set("short", 1, 3000);
  await each.setMany([{ key: "long", value: 2, ttl: 60_000 }, { key: "ever", value: 3 }]);
  assert.equal(await each.get("short"), 1);
  const left = await redis.pttl("times::long");
  assert.deepEqual([left > 50_000 && left <= 60_000, await redis.pttl("times::ever")], [true, -1]);
  await until("it has ended", async () => (await each.get("short")) === undefined, 20);
  assert.ok(Date.now() - begin >= 3000 - SLACK_MS);
  await until("at the server, too", async () => (await redis.exists("times::short")) === 0, 20);
  assert.deepEqual(await each.getMany(["long", "ever"]), [2, 3]);
  await each.disconnect();
  checked("values that end, and others that do not");
}

async function atOnce() {
  const stores = Array.from({ length: 5 }, () => store("shared"));
  await Promise.all(
    stores.flatMap((each, index) => Array.from({ length: 100 }, (_, number) => each.set(`${index}:${number}`, number))),
  );
  const keys = stores.flatMap((_, index) => Array.from({ length: 100 }, (_, number) => `${index}:${number}`));
  for (const each of stores) assert.deepEqual(await each.getMany(keys), keys.map((key) => Number(key.split(":")[1])));
  // Their connections are killed; they come back by themselves, to what they have stored.
  assert.ok((await redis.client("KILL", "TYPE", "normal", "SKIPME", "yes")) >= 5);
  await sleep(50);
  for (const [index, each] of stores.entries()) {
    await until("it is back", () => each.get(`${index}:7`).then((value) => value === 7, () => false), 20);
    assert.equal(await each.set("after", index), true);
    assert.equal(await stores[0].get("after"), index);
  }
  await Promise.all(stores.map((each) => each.disconnect()));
  checked("500 values of 5 stores at once, all there, also when their connections were killed");
}

await run(redis, versionOf("@keyv/redis"), 150, async () => {
  await values();
  await times();
  await atOnce();
}, ["set", "mget"]);
