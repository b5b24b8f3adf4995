// Stock socket.io with @socket.io/redis-streams-adapter against a server: `node socketio_streams.mjs HOST PORT`, found
// through NODE_PATH. Two servers, and clients that come back to the other one. Empties that server.

import assert from "node:assert/strict";
import { checked, host, port, require, run, sleep, until } from "./shared.mjs";
import { client, expect, got, servers, together } from "./socketio_servers.mjs";

const { createAdapter } = require("@socket.io/redis-streams-adapter");
const { createClient } = require("redis");
const { Redis } = require("ioredis");
const { version } = require("@socket.io/redis-streams-adapter/package.json");

const redis = new Redis({ host, port });
const byIoredis = () => new Redis({ host, port });
const byNodeRedis = () => createClient({ socket: { host, port } }).on("error", () => {}).connect();

/** A connection that breaks is taken up again where it was, be it by another server. */
async function recovered(both) {
  const clients = await Promise.all([...both, ...both].map((each) => client(each)));
  await Promise.all(clients.map((each) => each.emitWithAck("join", "kept")));
  both[0].io.emit("said", "before");
  await expect(clients, ["before"]);
  const ids = clients.map((each) => each.id);
  const again = clients.map((each) => new Promise((resolve) => each.once("connect", resolve)));
  // One and its server lose each other; it goes to the other server.
  clients.forEach((each, index) => {
    each.io.uri = `http://127.0.0.1:${both[(index + 1) % 2].port}`;
    each.io.opts.port = String(both[(index + 1) % 2].port);
    each.io.reconnectionDelay(600);
    each.io.reconnectionDelayMax(600);
    each.io.engine.close();
  });
  await until("all are away", () => clients.every((each) => !each.connected));
  const missed = Array.from({ length: 30 }, (_, index) => `missed ${index}`);
  missed.forEach((text, index) => both[index % 2].io.to(index % 3 ? "kept" : []).emit("said", text));
  await Promise.all(again);
  assert.deepEqual(clients.map((each) => [each.recovered, each.id]), ids.map((id) => [true, id]));
  const served = both.map(({ io }) => ids.filter((id) => io.of("/").sockets.has(id)));
  assert.deepEqual(served, [[ids[1], ids[3]], [ids[0], ids[2]]]);
  await until("all has come", () => clients.every((each) => got(each).length >= missed.length), 20);
  for (const each of clients) assert.deepEqual(got(each).splice(0).sort(), [...missed].sort());
  both[1].io.to("kept").emit("said", "still in the room");
  await expect(clients, ["still in the room"]);
  clients.forEach((each) => each.disconnect());
}

async function served(name, connect, streamName) {
  const adapters = [];
  for (let index = 0; index < 2; index += 1) {
    adapters.push(createAdapter(await connect(), { streamName, channelPrefix: streamName, maxLen: 1000 }));
  }
  const both = await servers(adapters, { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } });
  const clients = await together(both);
  clients.forEach((each) => each.disconnect());
  await until("they are gone", async () => (await both[0].io.fetchSockets()).length === 0);
  await recovered(both);
  assert.ok((await redis.xlen(streamName)) > 100);
  // Both lose what they wait at, and what comes meanwhile is not lost.
  const late = await Promise.all(both.map((each) => client(each)));
  await sleep(50);
  assert.ok((await redis.client("KILL", "TYPE", "normal", "SKIPME", "yes")) >= 2);
  const texts = Array.from({ length: 20 }, (_, index) => `after the loss ${index}`);
  for (const text of texts) {
    await redis.ping();
    both[0].io.emit("said", text);
  }
  await expect(late, texts);
  late.forEach((each) => each.disconnect());
  await Promise.all(both.map((each) => each.io.close()));
  checked(`${name}: two servers, broadcasts, rooms, acknowledgements, clients that come back to the other server`);
}

await run(redis, version, 150, async () => {
  await served("node-redis", byNodeRedis, "one");
  await served("ioredis", byIoredis, "two");
}, ["xadd"]);
