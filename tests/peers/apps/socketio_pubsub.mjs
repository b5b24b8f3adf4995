// Stock socket.io with @socket.io/redis-adapter against a server: `node socketio_pubsub.mjs HOST PORT`, found through
// NODE_PATH. Two servers, by node-redis, by ioredis and with sharded channels. Empties that server.

import assert from "node:assert/strict";
import { checked, host, port, require, run, until } from "./shared.mjs";
import { expect, servers, together } from "./socketio_servers.mjs";

const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");
const { Redis } = require("ioredis");
const { version } = require("@socket.io/redis-adapter/package.json");

const redis = new Redis({ host, port });
const byIoredis = () => new Redis({ host, port });

async function byNodeRedis() {
  // Its connections are killed further down, of which it tells.
  const client = createClient({ socket: { host, port } }).on("error", () => {});
  return client.connect();
}

async function served(name, connect, create, key) {
  const adapters = [];
  for (let index = 0; index < 2; index += 1) {
    adapters.push(create(await connect(), await connect(), { key, channelPrefix: key }));
  }
  const both = await servers(adapters);
  const clients = await together(both);
  // Both servers lose their subscriptions, and subscribe again.
  const channels = async () => (await redis.client("LIST", "TYPE", "pubsub")).trim().split("\n").filter(Boolean).length;
  const before = await channels();
  assert.ok(before >= 2);
  const told = await redis.info("stats");
  const connections = Number(/total_connections_received:(\d+)/.exec(told)[1]);
  assert.ok((await redis.client("KILL", "TYPE", "pubsub")) >= 2);
  await until("they are back", async () => {
    const now = Number(/total_connections_received:(\d+)/.exec(await redis.info("stats"))[1]);
    return now >= connections + before && (await channels()) === before;
  });
  await until("they know each other", async () => (await both[1].io.fetchSockets()).length === clients.length, 20);
  both[1].io.emit("said", "after the loss");
  await expect(clients, ["after the loss"]);
  clients.forEach((each) => each.disconnect());
  await Promise.all(both.map((each) => each.io.close()));
  checked(`${name}: two servers, broadcasts, rooms, acknowledgements, sockets of the other, lost subscriptions`);
}

await run(redis, version, 150, async () => {
  await served("node-redis", byNodeRedis, createAdapter, "one");
  await served("ioredis", byIoredis, createAdapter, "two");
  await served("sharded channels by node-redis", byNodeRedis, createShardedAdapter, "three");
}, ["publish", "spublish"]);
