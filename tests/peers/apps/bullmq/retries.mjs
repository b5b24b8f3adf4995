// Jobs that fail.

import assert from "node:assert/strict";
import { checked, until } from "../shared.mjs";
import { collect, counts, queue, queueEvents, UnrecoverableError, worker } from "./queues.mjs";

export async function backoffs() {
  const jobs = queue("retries");
  const events = await queueEvents("retries");
  const [exhausted, failed] = [await collect(events, "retries-exhausted"), await collect(events, "failed")];
  const starts = new Map();
  worker("retries", async (job) => {
    const at = starts.get(job.name) ?? [];
    starts.set(job.name, [...at, Date.now()]);
    if (job.name === "hopeless") throw new UnrecoverableError("no use");
    if (at.length < job.data.failures) throw new Error(`failure ${at.length + 1}`);
    return at.length;
  }, { concurrency: 5 });
  const fixed = { attempts: 4, backoff: { type: "fixed", delay: 200 } };
  const exponential = { attempts: 4, backoff: { type: "exponential", delay: 100 } };
  await jobs.add("fixed", { failures: 2 }, fixed);
  await jobs.add("exponential", { failures: 3 }, exponential);
  await jobs.add("at-once", { failures: 3 }, { attempts: 4 });
  await jobs.add("too-often", { failures: 5 }, { ...fixed, attempts: 3 });
  await jobs.add("hopeless", {}, fixed);
  await counts(jobs, { completed: 3, failed: 2 });
  const tries = Object.fromEntries([...starts].map(([name, at]) => [name, at.length]));
  assert.deepEqual(tries, { fixed: 3, exponential: 4, "at-once": 4, "too-often": 3, hopeless: 1 });
  const gaps = (name) => starts.get(name).slice(1).map((at, index) => at - starts.get(name)[index]);
  gaps("fixed").forEach((gap) => assert.ok(gap >= 200, `fixed: ${gap} ms`));
  gaps("exponential").forEach((gap, index) => assert.ok(gap >= 100 * 2 ** index, `exponential: ${gap} ms`));
  const reasons = await jobs.getFailed().then((all) =>
    all.map((job) => [job.name, job.failedReason, job.attemptsMade, job.stacktrace.length]),
  );
  assert.deepEqual(reasons.sort(), [["hopeless", "no use", 1, 1], ["too-often", "failure 3", 3, 3]]);
  await until("events", () => exhausted.length >= 1 && failed.length >= 2);
  assert.deepEqual(exhausted.map((event) => [event.jobId, event.attemptsMade]), [["4", "3"]]);
  assert.deepEqual(failed.map((event) => event.failedReason).sort(), ["failure 3", "no use"]);
  checked("retries with fixed and exponential backoff, at once, too often, and none for what is hopeless");
  await again(jobs, starts);
}

async function again(jobs, starts) {
  starts.set("too-often", Array(5));
  await (await jobs.getJob("4")).retry();
  await counts(jobs, { completed: 4, failed: 1 });
  assert.deepEqual(await jobs.getJob("4").then((job) => [job.returnvalue, job.failedReason]), [5, undefined]);
  await jobs.retryJobs({ state: "failed" });
  await until("tried again", () => starts.get("hopeless").length === 2);
  await counts(jobs, { completed: 4, failed: 1 });
  await assert.rejects((await jobs.getJob("1")).retry(), /is not in the failed state/);
  checked("failed jobs tried again by hand, one and all");
}
