// Job schedulers: jobs that repeat after a time, or at times.

import assert from "node:assert/strict";
import { checked, until } from "../shared.mjs";
import { counts, queue, worker } from "./queues.mjs";

const slotOf = (job) => Number(job.id.split(":").at(-1));

export async function everySoOften() {
  const jobs = queue("every");
  const ran = [];
  worker(jobs.name, async (job) => ran.push([slotOf(job), Date.now()]));
  const every = 300;
  await jobs.upsertJobScheduler("clock", { every, limit: 4 });
  await until("4 turns", () => ran.length >= 4);
  await counts(jobs, { completed: 4 });
  assert.equal(ran.length, 4);
  for (const [index, [slot, at]] of ran.entries()) {
    assert.ok(at >= slot, `${at}: before ${slot}`);
    if (index > 0) assert.ok(slot - ran[index - 1][0] >= every, `slots too near: ${ran}`);
  }
  checked("a scheduler every 300 ms: its limit of 4 kept, none early, none twice");
}

export async function replaced() {
  const jobs = queue("replaced");
  const ran = [];
  await jobs.upsertJobScheduler("clock", { every: 3_600_000 }, { name: "tick", data: { turn: "old" } });
  await jobs.upsertJobScheduler("clock", { every: 1_800_000, limit: 9 }, { name: "tick", data: { turn: "new" } });
  assert.equal(await jobs.getJobSchedulersCount(), 1);
  const scheduler = await jobs.getJobScheduler("clock");
  assert.deepEqual([scheduler.every, scheduler.limit, scheduler.template.data], [1_800_000, 9, { turn: "new" }]);
  worker(jobs.name, async (job) => ran.push(job.data.turn));
  await counts(jobs, { completed: 1, delayed: 1 });
  const [next] = await jobs.getDelayed();
  assert.deepEqual([ran, next.data.turn, next.opts.repeat.count], [["new"], "new", 2]);
  checked("a scheduler is replaced by one with its name, with its next job");
}

export async function atTimes() {
  const jobs = queue("cron");
  const ran = [];
  worker(jobs.name, async (job) => ran.push([slotOf(job), Date.now()]));
  await jobs.upsertJobScheduler("seconds", { pattern: "* * * * * *", limit: 2 });
  await until("2 turns", () => ran.length >= 2);
  await counts(jobs, { completed: 2 });
  assert.equal(ran.length, 2);
  for (const [slot, at] of ran) assert.ok(at >= slot, `${at}: before ${slot}`);
  const [first, second] = ran.map(([slot]) => Math.floor(slot / 1000));
  assert.ok(second > first, "twice within one second");
  checked("a scheduler by a pattern: once a second, twice in all");
}

export async function removed() {
  const jobs = queue("unscheduled");
  await jobs.upsertJobScheduler("a", { every: 3_600_000, startDate: Date.now() + 3_600_000 });
  await jobs.upsertJobScheduler("b", { pattern: "0 0 1 1 *" });
  await counts(jobs, { delayed: 2 });
  assert.deepEqual((await jobs.getJobSchedulers()).map((each) => each.key).sort(), ["a", "b"]);
  const [job] = await jobs.getDelayed();
  await assert.rejects(job.remove(), /belongs to a job scheduler/);
  assert.deepEqual([await jobs.removeJobScheduler("a"), await jobs.removeJobScheduler("a")], [true, false]);
  await counts(jobs, { delayed: 1 });
  assert.deepEqual((await jobs.getJobSchedulers()).map((each) => each.key), ["b"]);
  checked("a removed scheduler takes its next job with it");
}
