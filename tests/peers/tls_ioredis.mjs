// Stock ioredis over TLS: `node tls_ioredis.mjs TLS_PORT FOLDER`, with the files of tls_files.sh, found through NODE_PATH.
// Empties that server. Exits with code 1 at the first surprise.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const { Redis } = require("ioredis");
const { version } = require("ioredis/package.json");

const [port, folder] = [Number(process.argv[2]), process.argv[3]];
const file = (name) => readFileSync(join(folder, name));
const connect = (identity) =>
  new Redis({
    host: "localhost",
    port,
    maxRetriesPerRequest: 1,
    retryStrategy: null,
    tls: { ca: file("ca.crt"), ...(identity && { cert: file(`${identity}.crt`), key: file(`${identity}.key`) }) },
  });

setTimeout(() => {
  console.error("ioredis: no end after 120 s");
  process.exit(1);
}, 120_000).unref();
const redis = connect("client");
await redis.flushall();
assert.equal(await redis.set("s", "héllo", "EX", 100), "OK");
assert.equal(await redis.get("s"), "héllo");
const large = Buffer.alloc(8 * 1024 * 1024, "z");
await redis.set("large", large);
assert.ok(large.equals(await redis.getBuffer("large")));
const pipeline = redis.pipeline();
for (let index = 0; index < 5000; index += 1) pipeline.set(`p:${index}`, index);
assert.ok((await pipeline.exec()).every(([error, reply]) => error === null && reply === "OK"));
assert.deepEqual(await redis.multi().incr("n").incr("n").exec(), [[null, 1], [null, 2]]);

const subscriber = connect("client");
const heard = new Promise((resolve) => subscriber.on("message", (channel, text) => resolve([channel, text])));
await subscriber.subscribe("news");
await redis.publish("news", "hello");
assert.deepEqual(await heard, ["news", "hello"]);
subscriber.disconnect();

for (const identity of [null, "other"]) {
  const stranger = connect(identity);
  stranger.on("error", () => {});
  await assert.rejects(stranger.ping());
  stranger.disconnect();
}
await redis.flushall();
redis.disconnect();
console.log(`ioredis ${version} over TLS: ok`);
