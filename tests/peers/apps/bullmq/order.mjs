// The order in which one worker does jobs.

import assert from "node:assert/strict";
import { checked } from "../shared.mjs";
import { counts, queue, worker } from "./queues.mjs";

export async function firstInFirstOut() {
  const jobs = queue("fifo");
  await jobs.addBulk(Array.from({ length: 100 }, (_, number) => ({ name: "in", data: { number } })));
  for (const number of [-1, -2, -3]) await jobs.add("first", { number }, { lifo: true });
  const ran = [];
  worker("fifo", async (job) => ran.push(job.data.number));
  await counts(jobs, { completed: 103 });
  assert.deepEqual(ran, [-3, -2, -1, ...Array.from({ length: 100 }, (_, index) => index)]);
  checked("first in, first out; last in, first out where asked for");
}

export async function priorities() {
  const jobs = queue("priorities");
  const wanted = [];
  for (let number = 0; number < 60; number += 1) {
    // 7 and 11 have no common divisor: neighbours have different priorities. 0 means none.
    const priority = (number * 7) % 11;
    await jobs.add("at", { number }, { priority });
    wanted.push([priority, number]);
  }
  const perPriority = await jobs.getCountsPerPriority([0, 1, 10, 12]);
  const count = (priority) => wanted.filter(([each]) => each === priority).length;
  assert.deepEqual(perPriority, { 0: count(0), 1: count(1), 10: count(10), 12: 0 });
  await counts(jobs, { prioritized: 60 - count(0), waiting: count(0) });
  const last = wanted.find(([priority]) => priority === 10);
  const all = await jobs.getJobs(["prioritized"]);
  await all.find((job) => job.data.number === last[1]).changePriority({ priority: 1 });
  wanted.splice(wanted.indexOf(last), 1);
  wanted.sort(([a, x], [b, y]) => a - b || x - y);
  wanted.splice(wanted.findLastIndex(([priority]) => priority === 1) + 1, 0, [1, last[1]]);
  const ran = [];
  worker("priorities", async (job) => ran.push([job.priority, job.data.number]));
  await counts(jobs, { completed: 60 });
  assert.deepEqual(ran, wanted);
  checked("60 jobs in the order of their priorities, and of their coming within one");
}

export async function delays() {
  const jobs = queue("delays");
  const ran = new Map();
  const timestamp = Date.now();
  const delayed = [900, 300, 1200, 600, 450, 750];
  const later = (delay) => ({ name: "later", data: { is: delay }, opts: { delay, timestamp } });
  const added = await jobs.addBulk(delayed.map(later));
  const changed = await jobs.add("changed", { is: "changed" }, { delay: 3_600_000 });
  const promoted = await jobs.add("promoted", { is: "promoted" }, { delay: 3_600_000 });
  await counts(jobs, { delayed: 8 });
  await promoted.promote();
  const changedAt = Date.now();
  await changed.changeDelay(2000);
  worker(jobs.name, async (job) => ran.set(job.data.is, Date.now()));
  await jobs.add("now", { is: "now" });
  await counts(jobs, { completed: 9 });
  assert.deepEqual([...ran.keys()].filter(Number), delayed.toSorted((a, b) => a - b));
  for (const delay of delayed) assert.ok(ran.get(delay) >= timestamp + delay, `${delay}: too early`);
  assert.ok(ran.get("changed") >= changedAt + 2000, "changed delay: too early");
  assert.ok(ran.has("promoted") && ran.has("now"));
  await assert.rejects(added[0].promote(), /is not in the delayed state/);
  checked("delayed jobs in the order of their delays, none too early; changed and promoted ones");
}
