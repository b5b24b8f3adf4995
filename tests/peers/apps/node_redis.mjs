// Scripts of stock node-redis against a server, with RESP2 and with RESP3: `node node_redis.mjs HOST PORT`, found
// through NODE_PATH. Empties that server.

import assert from "node:assert/strict";
import { checked, host, port, require, run } from "./shared.mjs";

const { createClient, createClientPool, defineScript } = require("redis");
const { Redis } = require("ioredis");
const { version } = require("redis/package.json");

const unchanged = (reply) => reply;
const scripts = {
  /** Adds to a balance unless that would make it negative. */
  change: defineScript({
    SCRIPT: `local balance = tonumber(redis.call('GET', KEYS[1]) or '0') + ARGV[1]
             if balance < 0 then return redis.error_reply('POOR not enough') end
             redis.call('SET', KEYS[1], balance) return balance`,
    NUMBER_OF_KEYS: 1,
    parseCommand(parser, key, by) {
      parser.pushKey(key);
      parser.push(String(by));
    },
    transformReply: unchanged,
  }),
  /** Pays from one to another, or not at all. */
  pay: defineScript({
    SCRIPT: `if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then return false end
             return {redis.call('DECRBY', KEYS[1], ARGV[1]), redis.call('INCRBY', KEYS[2], ARGV[1])}`,
    NUMBER_OF_KEYS: 2,
    parseCommand(parser, from, to, amount) {
      parser.pushKey(from);
      parser.pushKey(to);
      parser.push(String(amount));
    },
    transformReply: unchanged,
  }),
  /** Values of RESP3, if that is what the client speaks. */
  values: defineScript({
    SCRIPT: `redis.setresp(3) return {{double = 0.5}, {map = {a = 1}}, true, false}`,
    NUMBER_OF_KEYS: 0,
    parseCommand() {},
    transformReply: unchanged,
  }),
};
const options = (RESP) => ({ socket: { host, port }, RESP, scripts });

async function connect(RESP) {
  const client = createClient(options(RESP));
  client.on("error", (error) => {
    console.error(error);
    process.exit(1);
  });
  return client.connect();
}

async function calls(client, RESP) {
  await client.flushAll();
  assert.equal(await client.change("purse", 10), 10);
  await assert.rejects(client.change("purse", -11), { message: "POOR not enough" });
  assert.equal(await client.get("purse"), "10");
  assert.deepEqual(await client.pay("purse", "till", 4), [6, 4]);
  assert.equal(await client.pay("purse", "till", 7), null);
  const [double, map, ...booleans] = await client.values();
  const wanted = RESP === 3 ? [0.5, { a: 1 }, [true, false]] : ["0.5", ["a", 1], [1, 0]];
  assert.deepEqual([double, RESP === 3 ? { ...map } : map, booleans], wanted);
  const replies = await client.multi().change("purse", 1).pay("purse", "till", 7).get("till").exec();
  assert.deepEqual(replies, [7, [0, 11], "11"]);
  checked(`scripts, their errors and transactions, with RESP${RESP}`);
}

async function evals(client, RESP) {
  assert.equal(await client.eval("return #KEYS + #ARGV", { keys: ["a", "b"], arguments: ["c"] }), 3);
  const sha = await client.scriptLoad("return ARGV[1] .. KEYS[1]");
  assert.deepEqual(await client.scriptExists([sha, "0".repeat(40)]), [1, 0]);
  assert.equal(await client.evalSha(sha, { keys: ["key"], arguments: ["to "] }), "to key");
  assert.equal(await client.evalShaRo(sha, { keys: ["key"], arguments: ["to "] }), "to key");
  const write = client.evalRo("return redis.call('SET', KEYS[1], 1)", { keys: ["key"], arguments: [] });
  await assert.rejects(write, { message: /^ERR Write commands are not allowed from read-only scripts/ });
  assert.equal(await client.exists("key"), 0);
  await client.scriptFlush();
  await assert.rejects(client.evalSha(sha), { message: /^NOSCRIPT / });
  assert.equal(await client.change("purse", 5), 5);
  assert.deepEqual(await client.multi().change("purse", 5).exec(), [10]);
  checked(`EVAL, EVALSHA and their read-only forms, scripts again after SCRIPT FLUSH, with RESP${RESP}`);
}

async function payments(client, RESP) {
  const names = Array.from({ length: 5 }, (_, index) => `account:${index}`);
  await client.mSet(names.map((name) => [name, "100"]));
  const pool = await createClientPool(options(RESP), { minimum: 4, maximum: 8 }).connect();
  const paid = Array.from({ length: 1000 }, (_, index) =>
    pool.pay(names[index % 5], names[(index * 3 + 1) % 5], (index * 37) % 60),
  );
  const replies = (await Promise.all(paid)).filter((reply) => reply !== null);
  assert.ok(replies.length > 0 && replies.every(([from]) => from >= 0));
  const balances = (await client.mGet(names)).map(Number);
  assert.equal(balances.reduce((sum, each) => sum + each, 0), 500);
  assert.ok(balances.every((each) => each >= 0), `${balances}`);
  await pool.close();
  checked(`1000 payments between 5 accounts by 8 clients: none overdrawn, no money lost, with RESP${RESP}`);
}

await run(new Redis({ host, port, maxRetriesPerRequest: 1 }), version, 60, async () => {
  for (const RESP of [2, 3]) {
    const client = await connect(RESP);
    for (const section of [calls, evals, payments]) await section(client, RESP);
    await client.close();
  }
});
