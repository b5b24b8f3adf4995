// Stock express with its sessions by connect-redis and its limits by rate-limit-redis against a server:
// `node express_app.mjs HOST PORT`, found through NODE_PATH. Two servers of a site. Empties that server.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { checked, host, port, require, run, until, versionOf } from "./shared.mjs";

const express = require("express");
const session = require("express-session");
const { RedisStore } = require("connect-redis");
const { rateLimit } = require("express-rate-limit");
const { RedisStore: LimitStore } = require("rate-limit-redis");
const { createClient } = require("redis");
const { Redis } = require("ioredis");

const redis = new Redis({ host, port });
const SLACK_MS = 10;
const stores = [];
const clients = [];

function limiter(prefix, windowMs, limit, client, more = {}) {
  const store = new LimitStore({ prefix, sendCommand: (...command) => client.sendCommand(command) });
  return rateLimit({ windowMs, limit, store, standardHeaders: true, legacyHeaders: false, validate: false, ...more });
}

async function site() {
  const client = await createClient({ socket: { host, port } }).connect();
  clients.push(client);
  const store = new RedisStore({ client, prefix: "sess:", ttl: 1000 });
  stores.push(store);
  const app = express();
  const failing = { skipSuccessfulRequests: true };
  app.get("/many", limiter("many:", 60_000, 37, client), (_, answer) => answer.json({}));
  app.get("/short", limiter("short:", 10_000, 3, client), (_, answer) => answer.json({}));
  app.get("/login", limiter("login:", 60_000, 3, client, failing), ({ query }, answer) =>
    answer.status(query.password === "right" ? 200 : 401).json({}),
  );
  app.use(session({ store, secret: "not secret", resave: false, saveUninitialized: false, rolling: true }));
  app.get("/visit", (request, answer) => {
    request.session.visits = (request.session.visits ?? 0) + 1;
    answer.json({ visits: request.session.visits, user: request.session.user ?? null });
  });
  app.get("/name", (request, answer, next) => {
    // As a login does it: what the session holds goes on under another name.
    const { visits } = request.session;
    request.session.regenerate((error) => {
      if (error) return next(error);
      Object.assign(request.session, { visits, user: request.query.user });
      answer.json({});
    });
  });
  app.get("/logout", (request, answer, next) => {
    request.session.destroy((error) => (error ? next(error) : answer.json({})));
  });
  const http = createServer(app);
  await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${http.address().port}`;
}

/** One that keeps its cookie, and asks the two in turn. */
function visitor(sites) {
  const own = { cookie: "", asked: 0 };
  own.get = async (path) => {
    const answer = await fetch(sites[(own.asked += 1) % 2] + path, { headers: { cookie: own.cookie } });
    const [set] = answer.headers.getSetCookie();
    if (set) own.cookie = set.split(";")[0];
    assert.equal(answer.status, 200);
    return answer.json();
  };
  own.key = () => `sess:${decodeURIComponent(own.cookie).replace(/^connect\.sid=s:([^.]+)\..*$/, "$1")}`;
  return own;
}

async function sessions(sites) {
  const visitors = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => {
      const each = visitor(sites);
      const visits = [];
      for (let turn = 0; turn < 20; turn += 1) visits.push((await each.get("/visit")).visits);
      const before = each.key();
      await each.get(`/name?user=user${index}`);
      assert.notEqual(each.key(), before);
      assert.equal(await redis.exists(before), 0);
      for (let turn = 0; turn < 5; turn += 1) visits.push((await each.get("/visit")).visits);
      assert.deepEqual(visits, Array.from({ length: 25 }, (_, number) => number + 1));
      assert.deepEqual(await each.get("/visit"), { visits: 26, user: `user${index}` });
      return each;
    }),
  );
  const [first, second] = visitors;
  assert.deepEqual(JSON.parse(await redis.get(first.key())).visits, 26);
  const left = await redis.ttl(first.key());
  assert.ok(left > 900 && left <= 1000);
  const ids = await stores[1].ids();
  assert.deepEqual(ids.map((id) => `sess:${id}`).sort(), visitors.map((each) => each.key()).sort());
  await first.get("/logout");
  assert.deepEqual(await first.get("/visit"), { visits: 1, user: null });
  // What has ended is gone, and a forged name is none.
  await redis.pexpire(second.key(), 1);
  await until("it has ended", async () => (await redis.exists(second.key())) === 0);
  assert.deepEqual(await second.get("/visit"), { visits: 1, user: null });
  const forged = visitor(sites);
  forged.cookie = "connect.sid=s%3Aforged.aaaa";
  assert.deepEqual(await forged.get("/visit"), { visits: 1, user: null });
  await stores[0].clear();
  assert.deepEqual(await redis.keys("sess:*"), []);
  checked("sessions of 10 visitors at two servers, 26 visits each, logins and logouts, ends of time");
}

const statuses = async (asked) => {
  const answers = await Promise.all(asked.map((url) => fetch(url)));
  return [200, 401, 429].map((status) => answers.filter((answer) => answer.status === status).length);
};
const turns = (sites, path, count) => Array.from({ length: count }, (_, index) => sites[index % 2] + path);

async function limits(sites) {
  assert.deepEqual(await statuses(turns(sites, "/many", 100)), [37, 0, 63]);
  const refused = await fetch(`${sites[0]}/many`);
  const reset = Number(refused.headers.get("ratelimit-reset"));
  assert.ok(refused.status === 429 && reset > 0 && reset <= 60);
  assert.equal(refused.headers.get("ratelimit-remaining"), "0");
  const begin = Date.now();
  assert.deepEqual(await statuses(turns(sites, "/short", 10)), [3, 0, 7]);
  await until("it lets through again", async () => (await fetch(`${sites[0]}/short`)).status === 200, 30);
  assert.ok(Date.now() - begin >= 10_000 - SLACK_MS);
  // What goes well is taken back, what fails counts.
  for (let turn = 0; turn < 10; turn += 1) {
    assert.equal((await fetch(`${sites[turn % 2]}/login?password=right`)).status, 200);
  }
  const [counter] = await redis.keys("login:*");
  await until("all were taken back", async () => Number(await redis.get(counter)) === 0);
  assert.deepEqual(await statuses(turns(sites, "/login?password=wrong", 8)), [0, 3, 5]);
  await redis.script("FLUSH");
  assert.deepEqual(await statuses(turns(sites, "/many", 5)), [0, 0, 5]);
  checked("limits of two servers: 37 of 100 at once, windows that end, and what goes well counts not");
}

await run(redis, versionOf("connect-redis"), 60, async () => {
  const sites = [await site(), await site()];
  await sessions(sites);
  await limits(sites);
  await Promise.all(clients.map((each) => each.close()));
});
