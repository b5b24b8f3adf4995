// Stock redlock against a server: `node redlock.mjs HOST PORT`, found through NODE_PATH. Empties that server.
//
// Its three databases stand for the three servers of the algorithm.

import assert from "node:assert/strict";
import { checked, host, port, require, run, sleep, until } from "./shared.mjs";

const Redlock = require("redlock");
const { Redis } = require("ioredis");
const { version } = require("redlock/package.json");

const connect = (db) => new Redis({ host, port, db, maxRetriesPerRequest: 1 });
const redis = connect(0);
const nodes = [0, 1, 2].map(connect);
// The clock of the server and this one are the same, but may be read at other times.
const SLACK_MS = 10;

function redlock(options = {}) {
  const made = new Redlock([0, 1, 2].map(connect), { retryCount: 0, retryDelay: 5, retryJitter: 5, ...options });
  made.on("clientError", (error) => {
    console.error(error);
    process.exit(1);
  });
  return made;
}

const held = async (resource) => Promise.all(nodes.map((node) => node.get(resource)));

async function mutualExclusion() {
  let [inside, most] = [0, 0];
  const contend = async (locks) => {
    for (let turn = 0; turn < 15; turn += 1) {
      const lock = await locks.acquire("counter:lock", 60_000);
      inside += 1;
      most = Math.max(most, inside);
      const count = Number(await redis.get("counter"));
      await sleep(turn % 3);
      await redis.set("counter", count + 1);
      inside -= 1;
      await lock.unlock();
    }
  };
  await Promise.all(Array.from({ length: 10 }, () => contend(redlock({ retryCount: -1 }))));
  assert.deepEqual([await redis.get("counter"), most], ["150", 1]);
  assert.deepEqual(await held("counter:lock"), [null, null, null]);
  checked("10 contenders, 150 turns at a counter, one at a time, no turn lost");
}

async function owners() {
  const [mine, theirs] = [redlock(), redlock()];
  const lock = await mine.acquire("owned", 60_000);
  assert.deepEqual(await held("owned"), [lock.value, lock.value, lock.value]);
  await assert.rejects(theirs.acquire("owned", 60_000), { name: "LockError", message: /^Exceeded 0 attempts to lock/ });
  const forged = new Redlock.Lock(theirs, ["owned"], "forged", Date.now() + 60_000, 0, 0);
  await assert.rejects(forged.unlock(), { name: "LockError", message: /^Unable to fully release the lock/ });
  forged.expiration = Date.now() + 60_000;
  await assert.rejects(theirs.extend(forged, 1), { name: "LockError" });
  assert.deepEqual(await held("owned"), [lock.value, lock.value, lock.value]);
  await lock.unlock();
  assert.deepEqual(await held("owned"), [null, null, null]);
  await assert.rejects(lock.unlock(), { name: "LockError" });
  await (await theirs.acquire("owned", 60_000)).unlock();
  checked("only the owner extends or releases a lock, and releases it once");
}

async function expiry() {
  const [mine, theirs] = [redlock({ retryCount: -1 }), redlock({ retryCount: -1 })];
  const start = Date.now();
  const lock = await mine.acquire("expiring", 1000);
  const next = await theirs.acquire("expiring", 60_000);
  assert.ok(Date.now() - start >= 1000 - SLACK_MS, "a lock was taken before it had expired");
  // It need not have expired everywhere.
  const taken = async () => (await held("expiring")).filter((value) => value === next.value).length;
  const votes = await taken();
  assert.ok(votes >= 2, `${votes} votes`);
  await assert.rejects(lock.extend(60_000), { name: "LockError", message: /already expired/ });
  await assert.rejects(lock.unlock(), { name: "LockError" });
  assert.equal(await taken(), votes);
  await next.unlock();
  checked("a lock that expired is free for others, and its former owner does not release theirs");
}

async function extension() {
  const mine = redlock();
  const lock = await mine.acquire(["longer:1", "longer:2"], 30_000);
  const extended = await lock.extend(90_000);
  for (const node of nodes) {
    for (const key of lock.resource) {
      const left = await node.pttl(key);
      assert.ok(left > 30_000 && left <= 90_000, `${left} ms left`);
    }
  }
  assert.ok(extended.expiration > Date.now() + 30_000);
  const start = Date.now();
  await lock.extend(2000);
  await until("the lock expires", async () => (await held("longer:1")).every((value) => value === null));
  assert.ok(Date.now() - start >= 2000 - SLACK_MS, "the lock expired too early");
  checked("a lock on two resources is extended, and shortened");
}

async function quorum() {
  const mine = redlock();
  await nodes[0].set("voted", "another");
  const lock = await mine.acquire("voted", 60_000);
  assert.deepEqual(await held("voted"), ["another", lock.value, lock.value]);
  await lock.unlock();
  await nodes[1].set("voted", "another");
  await assert.rejects(mine.acquire("voted", 60_000), { name: "LockError" });
  assert.deepEqual(await held("voted"), ["another", "another", null]);
  await nodes[2].set("two:2", "another");
  await nodes[1].set("two:1", "another");
  await assert.rejects(mine.acquire(["two:1", "two:2"], 60_000), { name: "LockError" });
  assert.deepEqual(await held("two:1"), [null, "another", null]);
  assert.deepEqual(await held("two:2"), [null, null, "another"]);
  checked("two of three votes make a lock, one does not and leaves nothing behind; all resources or none");
}

async function withoutScripts() {
  const mine = redlock();
  const lock = await mine.acquire("forgotten", 60_000);
  await redis.script("FLUSH");
  await lock.extend(60_000);
  await redis.script("FLUSH");
  await lock.unlock();
  await redis.script("FLUSH");
  await (await mine.acquire("forgotten", 60_000)).unlock();
  checked("locks go on after SCRIPT FLUSH");
}

await run(redis, version, 100, async () => {
  await Promise.all([mutualExclusion(), owners(), expiry(), extension(), quorum()]);
  await withoutScripts();
});
