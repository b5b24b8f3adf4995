// Limits on how many jobs start within a time, and on how many run at a time.
//
// A job starts, on the server's clock, not before its worker asked for it and not after the worker has it. So the
// n-th start that workers saw must come at least one window after the request for the first of the window before,
// however slow the machine is.

import assert from "node:assert/strict";
import { checked, sleep, until } from "../shared.mjs";
import { counts, queue, RateLimitError, worker } from "./queues.mjs";

// The server's clock may be read a little before it has the command.
const SLACK_MS = 10;

function keepsRate(starts, max, duration) {
  const seen = starts.map(({ seen }) => seen).sort((a, b) => a - b);
  const first = Math.min(...starts.map(({ asked }) => asked));
  for (let window = 1; window * max < seen.length; window += 1) {
    const took = seen[window * max] - first;
    assert.ok(took >= window * duration - SLACK_MS, `${window * max + 1} jobs within ${took} ms`);
  }
}

export async function ratePerWorker() {
  const jobs = queue("rate");
  const starts = [];
  await jobs.addBulk(Array.from({ length: 14 }, () => ({ name: "limited", data: {} })));
  const limiter = { max: 3, duration: 500 };
  for (let index = 0; index < 2; index += 1) {
    const note = async (job) => starts.push({ asked: job.processedOn, seen: Date.now(), id: job.id });
    worker("rate", note, { limiter, concurrency: 4 });
  }
  await until("the limit is reached", async () => (await jobs.getRateLimitTtl(3)) > 0);
  await counts(jobs, { completed: 14 });
  assert.equal(new Set(starts.map(({ id }) => id)).size, 14);
  keepsRate(starts, limiter.max, limiter.duration);
  checked("14 jobs of two workers, no more than 3 in 500 ms");
}

export async function rateOfQueue() {
  const jobs = queue("global-rate");
  await jobs.setGlobalRateLimit(2, 400);
  const starts = [];
  await jobs.addBulk(Array.from({ length: 7 }, () => ({ name: "limited", data: {} })));
  const note = async (job) => starts.push({ asked: job.processedOn, seen: Date.now() });
  for (let index = 0; index < 3; index += 1) worker(jobs.name, note, { concurrency: 3 });
  await counts(jobs, { completed: 7 });
  keepsRate(starts, 2, 400);
  checked("7 jobs of three workers, no more than 2 in 400 ms, as the queue says");
}

export async function rateByHand() {
  const jobs = queue("hand-rate");
  const starts = [];
  const one = worker(jobs.name, async (job) => {
    starts.push([job.id, Date.now()]);
    if (starts.length === 1) {
      await one.rateLimit(600);
      throw new RateLimitError();
    }
  }, { limiter: { max: 1000, duration: 1 } });
  await jobs.addBulk(Array.from({ length: 3 }, () => ({ name: "limited", data: {} })));
  await counts(jobs, { completed: 3 });
  assert.deepEqual(starts.map(([id]) => id), ["1", "1", "2", "3"]);
  assert.ok(starts[1][1] - starts[0][1] >= 600 - SLACK_MS, "too early");
  assert.deepEqual((await jobs.getFailed()).length, 0);
  checked("a worker that limits its rate gets its job back first");
}

export async function oneAtATime() {
  const jobs = queue("one-at-a-time");
  await jobs.setGlobalConcurrency(1);
  let [running, most, done] = [0, 0, 0];
  await jobs.addBulk(Array.from({ length: 40 }, () => ({ name: "alone", data: {} })));
  const alone = async () => {
    running += 1;
    most = Math.max(most, running);
    await sleep(5);
    running -= 1;
    done += 1;
  };
  for (let index = 0; index < 3; index += 1) worker(jobs.name, alone, { concurrency: 4 });
  await counts(jobs, { completed: 40 });
  assert.deepEqual([most, done], [1, 40]);
  checked("40 jobs of three workers, one at a time");
}
