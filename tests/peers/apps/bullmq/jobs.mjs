// Jobs of a queue with many workers: each is done once, and whoever listens hears of it once.

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { checked, host, port, sleep, until } from "../shared.mjs";
import { counts, queue, queueEvents, collect, worker } from "./queues.mjs";

export async function everyJobOnce(redis, when = "", options = {}) {
  const name = `once${when.replaceAll(" ", "-")}`;
  const jobs = queue(name, options);
  const events = await queueEvents(name, options);
  const [completed, active] = [await collect(events, "completed"), await collect(events, "active")];
  const ran = new Map();
  const byWorker = [0, 0, 0];
  const double = (index) => async (job) => {
    byWorker[index] += 1;
    ran.set(job.id, (ran.get(job.id) ?? 0) + 1);
    await sleep(job.data.number % 3);
    return job.data.number * 2;
  };
  const added = await jobs.addBulk(Array.from({ length: 400 }, (_, number) => ({ name: "double", data: { number } })));
  byWorker.forEach((_, index) => worker(name, double(index), { concurrency: 8, ...options }));
  await jobs.addBulk(Array.from({ length: 100 }, (_, number) => ({ name: "late", data: { number } })));
  await counts(jobs, { completed: 500 });
  assert.equal(ran.size, 500);
  assert.deepEqual(new Set(ran.values()), new Set([1]));
  assert.ok(byWorker.filter((count) => count > 0).length > 1, `one worker did all: ${byWorker}`);
  assert.deepEqual(added.map((job) => job.id), Array.from({ length: 400 }, (_, index) => String(index + 1)));
  for (const job of await jobs.getCompleted()) {
    assert.equal(job.returnvalue, job.data.number * 2);
    assert.equal(job.attemptsMade, 1);
  }
  await until("events", () => completed.length >= 500 && active.length >= 500);
  assert.deepEqual(new Set(completed.map((event) => event.jobId)), new Set(ran.keys()));
  assert.deepEqual(new Set(active.map((event) => event.jobId)), new Set(ran.keys()));
  assert.deepEqual([completed.length, active.length], [500, 500]);
  checked(`500 jobs, 3 workers of 8 at a time, each done once and told of once ${when}`.trimEnd());
}

export async function progressAndResults() {
  const jobs = queue("progress");
  const events = await queueEvents("progress");
  const progress = await collect(events, "progress");
  worker("progress", async (job) => {
    for (const percent of [10, 50, 100]) {
      await job.updateProgress(percent);
      await job.log(`at ${percent}`);
    }
    await job.updateData({ ...job.data, seen: true });
    return { text: `${job.data.text}, "quoted" and ünïcode`, list: [1, null, 2.5], none: null };
  });
  const job = await jobs.add("tell", { text: "x".repeat(20_000) }, { keepLogs: 2 });
  const result = await job.waitUntilFinished(events, 60_000);
  assert.deepEqual(result, { text: `${job.data.text}, "quoted" and ünïcode`, list: [1, null, 2.5], none: null });
  await until("progress", () => progress.length >= 3);
  assert.deepEqual(progress.map((event) => event.data), [10, 50, 100]);
  assert.deepEqual(await jobs.getJobLogs(job.id), { logs: ["at 50", "at 100"], count: 2 });
  const after = await jobs.getJob(job.id);
  assert.deepEqual([after.data.seen, after.progress, await after.getState()], [true, 100, "completed"]);
  checked("progress, logs, data and the result of a job");
}

export async function pauses() {
  const jobs = queue("pauses");
  const events = await queueEvents("pauses");
  const [paused, resumed] = [await collect(events, "paused"), await collect(events, "resumed")];
  const ran = [];
  worker("pauses", async (job) => ran.push(job.data.number));
  await jobs.add("before", { number: 0 });
  await counts(jobs, { completed: 1 });
  await jobs.pause();
  for (let number = 1; number <= 20; number += 1) await jobs.add("during", { number });
  await sleep(500);
  assert.deepEqual([ran, await jobs.isPaused()], [[0], true]);
  await counts(jobs, { completed: 1, waiting: 20 });
  await jobs.resume();
  await counts(jobs, { completed: 21 });
  assert.deepEqual([ran, await jobs.isPaused()], [Array.from({ length: 21 }, (_, index) => index), false]);
  await until("events", () => paused.length === 1 && resumed.length === 1);
  checked("no job of a paused queue is done; all are, in their order, when it goes on");
}

export async function lostWorker() {
  const jobs = queue("lost");
  const events = await queueEvents("lost");
  const stalled = await collect(events, "stalled");
  await jobs.addBulk(Array.from({ length: 3 }, (_, number) => ({ name: "hold", data: { number } })));
  const process_ = fork(process.argv[1], [host, String(port), "lose", "lost"]);
  const held = new Set();
  process_.on("message", (id) => held.add(id));
  await until("all jobs taken", () => held.size === 3);
  process_.kill("SIGKILL");
  const ran = [];
  worker("lost", async (job) => ran.push(job.id), { stalledInterval: 500 });
  await counts(jobs, { completed: 3 });
  await until("events", () => stalled.length >= 3);
  assert.deepEqual(stalled.map((event) => event.jobId).sort(), [...held].sort());
  assert.deepEqual(ran.sort(), [...held].sort());
  for (const job of await jobs.getCompleted()) {
    assert.deepEqual([job.stalledCounter, job.attemptsStarted, job.attemptsMade], [1, 2, 1]);
  }
  checked("3 jobs of a killed worker are done by another, once");
}

export async function locks() {
  const jobs = queue("locks");
  const other = worker("locks", null, { autorun: false });
  await jobs.add("owned", {});
  const job = await other.getNextJob("mine");
  await assert.rejects(job.moveToCompleted("stolen", "theirs", false), /Lock mismatch for job 1/);
  assert.equal(await job.extendLock("theirs", 5000), 0);
  assert.equal(await job.extendLock("mine", 5000), 1);
  assert.equal(await jobs.remove("1"), 0);
  await job.moveToCompleted("done", "mine", false);
  await assert.rejects(job.moveToCompleted("again", "mine", false), /Missing lock for job 1/);
  assert.equal((await jobs.getJob("1")).returnvalue, "done");
  await counts(jobs, { completed: 1 });
  checked("only the owner of a job's lock ends it, once");
}
