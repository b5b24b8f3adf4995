// Jobs that go, by hand, by rule, or with their queue; jobs that do not come twice.

import assert from "node:assert/strict";
import { checked, until } from "../shared.mjs";
import { collect, counts, queue, queueEvents, worker } from "./queues.mjs";

async function keys(redis, pattern) {
  const found = new Set();
  for await (const some of redis.scanStream({ match: pattern, count: 1000 })) some.forEach((key) => found.add(key));
  return [...found].sort();
}

export async function cleaned(redis) {
  const jobs = queue("cleaned");
  await jobs.addBulk(Array.from({ length: 30 }, (_, number) => ({ name: number % 3 ? "good" : "bad", data: {} })));
  const one = worker(jobs.name, async (job) => {
    if (job.name === "bad") throw new Error("bad");
  });
  await counts(jobs, { completed: 20, failed: 10 });
  await one.close();
  assert.equal((await jobs.clean(0, 5, "completed")).length, 5);
  assert.equal((await jobs.clean(3_600_000, 0, "completed")).length, 0);
  assert.equal((await jobs.clean(0, 0, "failed")).length, 10);
  await counts(jobs, { completed: 15 });
  const some = await jobs.addBulk(Array.from({ length: 6 }, () => ({ name: "waiting", data: {} })));
  await jobs.add("delayed", {}, { delay: 3_600_000 });
  await jobs.add("prioritized", {}, { priority: 5 });
  assert.equal(await jobs.remove(some[0].id), 1);
  assert.equal(await jobs.getJob(some[0].id), undefined);
  await counts(jobs, { completed: 15, waiting: 5, delayed: 1, prioritized: 1 });
  await jobs.drain();
  await counts(jobs, { completed: 15, delayed: 1 });
  await jobs.drain(true);
  await counts(jobs, { completed: 15 });
  assert.equal((await keys(redis, "bull:cleaned:[0-9]*")).length, 15);
  await jobs.obliterate();
  assert.deepEqual(await keys(redis, "bull:cleaned:*"), []);
  checked("jobs cleaned, removed, drained; of a queue that is obliterated no key is left");
}

export async function keptByRule(redis) {
  const jobs = queue("kept");
  const rule = { removeOnComplete: { count: 5 }, removeOnFail: true };
  await jobs.addBulk(Array.from({ length: 25 }, (_, number) => ({ name: "some", data: { number }, opts: rule })));
  worker(jobs.name, async (job) => {
    if (job.data.number % 5 === 0) throw new Error("bad");
  });
  await counts(jobs, { completed: 5 });
  assert.deepEqual((await jobs.getCompleted()).map((job) => job.data.number), [24, 23, 22, 21, 19]);
  assert.equal((await keys(redis, "bull:kept:[0-9]*")).length, 5);
  checked("the last 5 completed jobs are kept, and none that failed");
}

export async function deduplicated() {
  const jobs = queue("twice");
  const events = await queueEvents("twice");
  const told = await collect(events, "deduplicated");
  const named = (number, options) => jobs.add("one", { number }, options);
  const ids = [];
  for (let number = 0; number < 5; number += 1) ids.push((await named(number, { deduplication: { id: "same" } })).id);
  assert.deepEqual(new Set(ids), new Set([ids[0]]));
  assert.equal(await jobs.getDeduplicationJobId("same"), ids[0]);
  for (let number = 5; number < 8; number += 1) assert.equal((await named(number, { jobId: "by-id" })).id, "by-id");
  const later = { delay: 3_600_000, deduplication: { id: "latest", ttl: 3_600_000, extend: true, replace: true } };
  for (let number = 8; number < 11; number += 1) await named(number, later);
  await counts(jobs, { waiting: 2, delayed: 1 });
  const ran = [];
  worker(jobs.name, async (job) => ran.push(job.data.number));
  await jobs.promoteJobs();
  await counts(jobs, { completed: 3 });
  assert.deepEqual(ran, [0, 5, 10]);
  assert.notEqual((await named(11, { deduplication: { id: "same" } })).id, ids[0]);
  await counts(jobs, { completed: 4 });
  await until("events", () => told.length >= 4);
  assert.deepEqual(new Set(told.map((event) => event.deduplicationId)), new Set(["same", "latest"]));
  checked("jobs with one name come once; the latest takes the place of one that is delayed");
}
