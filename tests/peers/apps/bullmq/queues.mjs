// Queues, workers and their connections for the sections on BullMQ; all are closed at the end.

import assert from "node:assert/strict";
import { host, port, require, until } from "../shared.mjs";

const bullmq = require("bullmq");
const { Redis } = require("ioredis");
const { createClient } = require("redis");
export const { RateLimitError, UnrecoverableError } = bullmq;
export const { version } = require("bullmq/package.json");

const connection = { host, port, maxRetriesPerRequest: null };
const open = [];

// A worker that meets an error goes on; here, it has failed.
function fail(error) {
  console.error(error);
  process.exit(1);
}

const kept = (thing) => {
  thing.on("error", fail);
  open.push(thing);
  return thing;
};

export const connect = () => new Redis({ host, port, maxRetriesPerRequest: 1 });
export const connectByNodeRedis = () => createClient({ socket: { host, port } }).on("error", fail).connect();
export const queue = (name, options = {}) => kept(new bullmq.Queue(name, { connection, ...options }));
export const flowProducer = () => kept(new bullmq.FlowProducer({ connection }));
export const worker = (name, processor, options = {}) =>
  kept(new bullmq.Worker(name, processor, { connection, ...options }));

/** Reads a queue's events from now on. */
export async function queueEvents(name, options = {}) {
  const events = kept(new bullmq.QueueEvents(name, { connection, ...options }));
  await events.waitUntilReady();
  return events;
}

/** All events of one kind. */
export async function collect(events, kind) {
  const got = [];
  events.on(kind, (event) => got.push(event));
  return got;
}

export async function closeAll() {
  await Promise.all(open.map((thing) => thing.close()));
}

/** Waits until the counts of a queue are these, those not named being 0, and then that they stay so. */
export async function counts(of, wanted) {
  const none = { active: 0, completed: 0, delayed: 0, failed: 0, prioritized: 0, waiting: 0 };
  const all = { ...none, "waiting-children": 0, ...wanted };
  let got;
  try {
    await until("counts", async () => {
      got = await of.getJobCounts();
      return Object.keys(all).every((state) => got[state] === all[state]);
    });
  } catch {
    assert.deepEqual(got, all, `counts of ${of.name}`);
  }
}

/** The whole of a process that takes jobs, tells that it has them, and never ends them. */
export async function lost(name) {
  // Whoever waits for it may have failed.
  process.on("disconnect", () => process.exit(1));
  const hold = (job) => new Promise(() => process.send(job.id));
  // Had it looked for stalled jobs itself, none would look again for 30 s.
  worker(name, hold, { concurrency: 3, lockDuration: 1000, skipStalledCheck: true });
}
