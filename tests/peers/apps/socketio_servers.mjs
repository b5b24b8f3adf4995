// Two servers of socket.io that share an adapter, and their clients: for socketio_pubsub.mjs and socketio_streams.mjs.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { require, until } from "./shared.mjs";

const { Server } = require("socket.io");
const { io } = require("socket.io-client");

const PER_SERVER = 4;
const seen = new Map();

/** What a client has got so far, in its order. */
export const got = (client) => seen.get(client);

function server(adapter, options) {
  const http = createServer();
  const made = new Server(http, { adapter, pingInterval: 5000, ...options });
  made.on("connection", (socket) => {
    socket.on("join", async (room, done) => done(await socket.join(room)));
    socket.on("leave", async (room, done) => done(await socket.leave(room)));
    socket.on("say", (room, text) => socket.to(room).emit("said", text));
    socket.on("name", (name, done) => done((socket.data.name = name)));
  });
  return new Promise((resolve) => http.listen(0, "127.0.0.1", () => resolve({ io: made, port: http.address().port })));
}

/** A server for each of these adapters. */
export async function servers(adapters, options = {}) {
  return Promise.all(adapters.map((adapter) => server(adapter, options)));
}

/** A client of that server, connected. */
export async function client({ port }, options = {}) {
  const made = io(`http://127.0.0.1:${port}`, { transports: ["websocket"], reconnectionDelay: 50, ...options });
  seen.set(made, []);
  made.on("said", (text) => seen.get(made).push(text));
  made.on("asked", (number, answer) => answer({ number, id: made.id }));
  await new Promise((resolve, reject) => made.once("connect", resolve).once("connect_error", reject));
  return made;
}

/** Waits for what each of them must have got since, and that it is just this. */
export async function expect(clients, wanted) {
  await until("all has come", () => clients.every((each) => got(each).length >= wanted.length), 20);
  for (const each of clients) {
    assert.deepEqual(got(each).splice(0), wanted);
  }
}

const numbered = (name, count) => Array.from({ length: count }, (_, index) => `${name} ${index}`);

async function broadcasts([first, second], clients) {
  const texts = numbered("to all", 100);
  texts.forEach((text) => first.io.emit("said", text));
  await expect(clients, texts);
  const back = numbered("back", 100);
  back.forEach((text) => second.io.emit("said", text));
  await expect(clients, back);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  first.io.emit("said", { nested: [1, null, { bytes }] });
  await expect(clients, [{ nested: [1, null, { bytes }] }]);
  first.io.local.emit("said", "here");
  await expect(clients.slice(0, PER_SERVER), ["here"]);
}

async function rooms([first, second], clients) {
  const odd = clients.filter((_, index) => index % 2);
  const even = clients.filter((_, index) => index % 2 === 0);
  await Promise.all(odd.map((each) => each.emitWithAck("join", "odd")));
  await Promise.all(clients.slice(0, 3).map((each) => each.emitWithAck("join", "three")));
  second.io.to("odd").emit("said", "odd");
  await expect(odd, ["odd"]);
  // Who is in two rooms gets it once.
  second.io.to(["odd", "three"]).except("none").emit("said", "either");
  await expect([...odd, clients[0], clients[2]], ["either"]);
  first.io.except("odd").emit("said", "even");
  await expect(even, ["even"]);
  odd[0].emit("say", "odd", "to the others");
  await expect(odd.slice(1), ["to the others"]);
  await odd[0].emitWithAck("leave", "odd");
  second.io.to("odd").emit("said", "after");
  await expect(odd.slice(1), ["after"]);
  assert.ok(clients.every((each) => got(each).length === 0));
}

async function acknowledgements([first, second], clients) {
  for (const [number, asking] of [first, second, first].entries()) {
    const answers = await asking.io.timeout(20_000).emitWithAck("asked", number);
    const wanted = clients.map(({ id }) => ({ number, id }));
    const byId = (one, other) => one.id.localeCompare(other.id);
    assert.deepEqual(answers.sort(byId), wanted.sort(byId));
  }
}

async function management([first, second], clients) {
  await Promise.all(clients.map((each, index) => each.emitWithAck("name", `name ${index}`)));
  const sockets = await first.io.fetchSockets();
  assert.deepEqual(sockets.map(({ data }) => data.name).sort(), clients.map((_, index) => `name ${index}`).sort());
  assert.equal((await second.io.in("three").fetchSockets()).length, 3);
  second.io.in("three").socketsJoin("more");
  await until("they are there", async () => (await first.io.in("more").fetchSockets()).length === 3);
  first.io.in("more").socketsLeave("more");
  await until("they are gone", async () => (await second.io.in("more").fetchSockets()).length === 0);
  second.io.on("greeting", (text, answer) => answer(`${text}, second`));
  assert.deepEqual(await first.io.serverSideEmitWithAck("greeting", "hello"), ["hello, second"]);
  const [last] = clients.slice(-1);
  const gone = new Promise((resolve) => last.once("disconnect", resolve));
  first.io.in(last.id).disconnectSockets();
  assert.equal(await gone, "io server disconnect");
  await until("one less", async () => (await second.io.fetchSockets()).length === clients.length - 1);
}

/** All that two servers do together; gives the clients that are still connected. */
export async function together(both) {
  const clients = [];
  for (const each of both) {
    for (let index = 0; index < PER_SERVER; index += 1) clients.push(await client(each));
  }
  await until("they know each other", async () => (await both[0].io.fetchSockets()).length === clients.length, 20);
  await broadcasts(both, clients);
  await rooms(both, clients);
  await acknowledgements(both, clients);
  await management(both, clients);
  return clients.slice(0, -1);
}
